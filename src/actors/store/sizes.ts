/** Bytes by path, oldest first, with their sum: that is asked for with every file, of which hundreds may be on their way. */
export class Sizes {
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  /** Of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#sizes.size;
  }

  get oldest(): string | undefined {
    const [path] = this.#sizes.keys();
    return path;
  }

  has(path: string): boolean {
    return this.#sizes.has(path);
  }

  get(path: string): number | undefined {
    return this.#sizes.get(path);
  }

  set(path: string, bytes: number): void {
    this.#bytes += bytes - (this.#sizes.get(path) ?? 0);
    this.#sizes.set(path, bytes);
  }

  delete(path: string): void {
    this.#bytes -= this.#sizes.get(path) ?? 0;
    this.#sizes.delete(path);
  }
}
