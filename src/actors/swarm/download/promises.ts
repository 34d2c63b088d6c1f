/**
 * What one link promised and refused all the same. Such a piece is taken for one that the peer has no longer, and counts
 * against the peer until it chokes: whoever rejects first and chokes then has taken nothing back.
 */
import type { Seller } from './seller.ts';

interface Refused {
  readonly seller: Seller;
  readonly piece: number;
  readonly at: number;
}

/** Pieces that were promised and then refused, more than blocks that came, until the peer is at fault. */
const MAX_BROKEN = 64;
/** A choke follows the rejects that belong to it at once; until then, in milliseconds, nobody gives up for them. */
export const CHOKE_FOLLOWS_MS = 200;

export class Promises {
  #broken = 0;
  /** Those of late, oldest first. */
  #refused: Refused[] = [];

  /** A block came. */
  kept(): void {
    this.#broken = Math.max(this.#broken - 1, 0);
  }

  /** A block was refused on an unchoked link. True when that was once too often. */
  broken(seller: Seller, piece: number, now: number): boolean {
    this.#refused = this.#refused.filter(({ at }) => now - at < CHOKE_FOLLOWS_MS);
    this.#refused.push({ seller, piece, at: now });
    seller.have.clear(piece);
    seller.whole = false;
    this.#broken += 1;
    return this.#broken > MAX_BROKEN;
  }

  /** It is not known yet whether the piece was taken back. */
  doubted(seller: Seller, piece: number, now: number): boolean {
    return this.#refused.some((each) => {
      return each.seller === seller && each.piece === piece && now - each.at < CHOKE_FOLLOWS_MS;
    });
  }

  /** The link is choked: what was refused just now was refused for that. */
  choked(now: number): void {
    for (const { seller, piece, at } of this.#refused.splice(0)) {
      if (now - at >= CHOKE_FOLLOWS_MS) continue;
      seller.have.set(piece);
      seller.whole = seller.have.isFull;
      this.kept();
    }
  }
}
