/**
 * Which pieces are allowed fast on one link (BEP 6): those of files of one piece, the first 64 at a time in order of
 * their leases, so that a small file costs no wait for a slot. Pure.
 */
export const MAX_ALLOWED_FAST = 64;

export class SmallLeases {
  readonly #fast = new Set<number>();
  /** In order; indexes that become fast when others end. */
  readonly #waiting = new Set<number>();

  has(index: number): boolean {
    return this.#fast.has(index);
  }

  get size(): number {
    return this.#fast.size;
  }

  /** A file of one piece is leased as this index. True when it is fast now. */
  add(index: number): boolean {
    if (this.#fast.size >= MAX_ALLOWED_FAST) {
      this.#waiting.add(index);
      return false;
    }
    this.#fast.add(index);
    return true;
  }

  /** The lease has ended. Whether it was fast, and which index is fast in its place. */
  remove(index: number): { readonly was: boolean; readonly next: number | undefined } {
    this.#waiting.delete(index);
    if (!this.#fast.delete(index)) return { was: false, next: undefined };
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      this.#fast.add(next);
    }
    return { was: true, next };
  }
}
