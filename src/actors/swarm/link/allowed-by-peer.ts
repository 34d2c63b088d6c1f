/** Piece indexes that a peer has allowed to be asked for while it chokes; the oldest are forgotten. */
const MOST = 512;

export class AllowedByPeer {
  readonly #indexes = new Set<number>();

  add(index: number): void {
    this.#indexes.add(index);
    if (this.#indexes.size <= MOST) return;
    for (const oldest of this.#indexes) {
      this.#indexes.delete(oldest);
      return;
    }
  }

  has(index: number): boolean {
    return this.#indexes.has(index);
  }

  clear(): void {
    this.#indexes.clear();
  }
}
