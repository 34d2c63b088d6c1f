/**
 * Bytes of blocks that were asked for or wait to be written, all files together. Nothing comes that was not asked for,
 * so that no link has to be paused: at the bound nothing more is asked for. Buffers of written blocks are used again.
 */
export const MAX_BYTES = 32 * 1024 * 1024;
/** Kept free by large files, so that small ones need not wait for them. */
export const KEPT_BYTES = 4 * 1024 * 1024;

export class MemoryBudget {
  readonly #freed: () => void;
  #used = 0;
  #refused = false;

  /** @param freed called when there is room again after a refusal */
  constructor(freed: () => void) {
    this.#freed = freed;
  }

  get used(): number {
    return this.#used;
  }

  reserve(bytes: number, small: boolean): boolean {
    if (this.#used + bytes > MAX_BYTES - (small ? 0 : KEPT_BYTES)) {
      this.#refused = true;
      return false;
    }
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
    if (!this.#refused || this.#used > MAX_BYTES - 2 * KEPT_BYTES) return;
    this.#refused = false;
    this.#freed();
  }
}
