/**
 * Leases of piece indexes that this side gave on one link (docs/PROTOCOL.md): ascending, never overlapping, never
 * used again. Pure.
 */
export interface Lease<T> {
  /** Index of piece 0. */
  readonly base: number;
  readonly pieces: number;
  readonly value: T;
}

/** Indexes are 32 bits. */
export const INDEX_LIMIT = 2 ** 32;

export class LeaseTable<T> {
  readonly #limit: number;
  #next = 0;
  /** Ascending by base. */
  readonly #open: Lease<T>[] = [];

  /** @param limit indexes in all, lower only in tests */
  constructor(limit = INDEX_LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#open.length;
  }

  /** Undefined when the link has no such range left: it has to be opened anew. */
  open(pieces: number, value: T): Lease<T> | undefined {
    if (!Number.isSafeInteger(pieces) || pieces < 1) throw new RangeError('a lease has at least one piece');
    if (this.#next + pieces > this.#limit) return undefined;
    const lease = { base: this.#next, pieces, value };
    this.#next += pieces;
    this.#open.push(lease);
    return lease;
  }

  end(lease: Lease<T>): void {
    const at = this.#position(lease.base);
    if (this.#open[at] === lease) this.#open.splice(at, 1);
  }

  /** The open lease that an index belongs to; `ended` when there was one, `never` when there was none. */
  at(index: number): Lease<T> | 'ended' | 'never' {
    if (!(index >= 0 && index < this.#next)) return 'never';
    const lease = this.#open[this.#position(index)];
    return lease !== undefined && index < lease.base + lease.pieces ? lease : 'ended';
  }

  [Symbol.iterator](): IterableIterator<Lease<T>> {
    return this.#open[Symbol.iterator]();
  }

  /** Where the last open lease is that begins at or before the index; -1 when there is none. */
  #position(index: number): number {
    let low = 0;
    let high = this.#open.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#open[middle] as Lease<T>).base <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
