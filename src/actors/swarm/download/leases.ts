/** What one link has leased: which indexes, of which files. A lease gives the pieces of one file their indexes. */
import { RangeSet } from '../../../core/range-set.ts';
import { NUMBERS } from '../../../core/swarm/limits.ts';
import type { Seller } from './seller.ts';

export class Leases {
  /** Ascending by their first index. */
  readonly #current: Seller[] = [];
  /** Indexes of all that ever were. */
  readonly #used = new RangeSet();

  /** One of them has something to ask for. */
  get areInteresting(): boolean {
    return this.#current.some(({ have }) => !have.isEmpty);
  }

  /** Takes note of a lease, also of one that came too late. False when it overlaps one that is or was. */
  begin(seller: Seller | undefined, base: number, pieces: number): boolean {
    const end = base + pieces;
    const [free] = this.#used.missing(base, end);
    if (end > NUMBERS || free?.start !== base || free.end !== end) return false;
    this.#used.add(base, end);
    if (seller === undefined) return true;
    seller.base = base;
    this.#current.splice(this.#position(base) + 1, 0, seller);
    return true;
  }

  end(seller: Seller): void {
    const at = this.#current.indexOf(seller);
    if (at >= 0) this.#current.splice(at, 1);
    seller.base = undefined;
  }

  byBase(base: number): Seller | undefined {
    const seller = this.#current[this.#position(base)];
    return seller?.base === base ? seller : undefined;
  }

  /** Whose piece an index is. */
  byIndex(index: number): { seller: Seller; piece: number } | undefined {
    const seller = this.#current[this.#position(index)];
    if (seller?.base === undefined || index >= seller.base + seller.want.pieces) return undefined;
    return { seller, piece: index - seller.base };
  }

  /** Where the last lease is that begins at or before the index; -1 when there is none. */
  #position(index: number): number {
    let low = 0;
    let high = this.#current.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#current[middle]?.base ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
