/** What one link says of one wanted file: whether it has been asked, what it has, whether it keeps its word. */
import { Bitmap } from '../../../core/swarm/bitmap.ts';
import type { Lane } from './lane.ts';
import type { Want } from './want.ts';

export class Seller {
  readonly lane: Lane;
  readonly want: Want;
  /** The number of the file on the link. */
  readonly file: number;
  readonly askedAt: number;
  /** First index of the lease; undefined before an offer, and when it was taken back. */
  base: number | undefined;
  offered = false;
  /** Offered or refused. */
  answered = false;
  /** It offered the file whole. */
  whole = false;
  treeAsked = false;
  have: Bitmap;
  /** Too slow for this file until then, in milliseconds. */
  slowUntil = 0;
  slowTimes = 0;
  /** The piece it was asked for last. */
  current: number | undefined;
  /** Requests of this file that are open on the link. */
  open = 0;
  readonly #fast = new Set<number>();

  constructor(lane: Lane, want: Want, file: number, askedAt: number) {
    this.lane = lane;
    this.want = want;
    this.file = file;
    this.askedAt = askedAt;
    this.have = new Bitmap(want.pieces);
  }

  /** Its answer is missing, and may come any moment. */
  get awaited(): boolean {
    return !this.answered && !this.lane.absent;
  }

  allowFast(piece: number): void {
    this.#fast.add(piece);
  }

  isFast(piece: number): boolean {
    return this.#fast.has(piece);
  }

  /** It can be asked for something now. */
  live(now: number): boolean {
    return this.base !== undefined && this.slowUntil <= now && !this.lane.snubbed(now);
  }

  /** It has the piece and would send it. `live` goes first. */
  sells(piece: number): boolean {
    return this.have.has(piece) && (!this.lane.link.peerChoking || this.#fast.has(piece));
  }

  /** The same, or it is about to be known. */
  maySell(piece: number, now: number): boolean {
    return this.sells(piece) || this.lane.promises.doubted(this, piece, now);
  }

  /** The pieces that it would send now. */
  selling(now: number): Bitmap | undefined {
    if (!this.live(now) || this.have.isEmpty) return undefined;
    if (!this.lane.link.peerChoking) return this.have;
    if (this.#fast.size === 0) return undefined;
    const fast = new Bitmap(this.have.length);
    for (const piece of this.#fast) if (this.have.has(piece)) fast.set(piece);
    return fast;
  }
}
