/**
 * Runs what is to be done to one path in the order in which it was asked for: opening a partial file never meets the
 * removal of the one before it half way. Different paths do not wait for each other.
 */
export class InOrder {
  /** What was begun last for each path; settles, never rejects. */
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(path: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(path) ?? Promise.resolve()).then(work);
    const settled = result
      .catch(() => undefined)
      .finally(() => {
        if (this.#last.get(path) === settled) this.#last.delete(path);
      });
    this.#last.set(path, settled);
    return result;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
