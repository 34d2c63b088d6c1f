/**
 * Which of a transaction's files the daemon fetches next. Small ones first: they are what finishes soonest, and what is
 * large spreads over all connections at the end. What is fetched and not yet taken has a bound, so that a transaction
 * that is larger than the cache does not push its own files out of it.
 */
import type { Want } from './control.ts';

export interface FetchLimits {
  /** Files at once. */
  readonly running: number;
  /** Bytes of files that are being fetched or wait to be taken; one file may exceed it. */
  readonly bytes: number;
  /** Files that are known at once. */
  readonly wants: number;
}

export class FetchOrder {
  readonly #limits: FetchLimits;
  /** By size, the smallest last. */
  readonly #waiting: Want[] = [];
  /** Started and not over. */
  readonly #started = new Map<number, { readonly size: number; running: boolean }>();
  #running = 0;
  #bytes = 0;

  constructor(limits: FetchLimits) {
    this.#limits = limits;
  }

  /** False when there are too many. */
  add(want: Want): boolean {
    if (this.#waiting.length + this.#started.size >= this.#limits.wants) return false;
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#waiting[middle]?.size ?? 0) > want.size) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, want);
    return true;
  }

  /** The file to start now; undefined when none may be. */
  next(): Want | undefined {
    const want = this.#waiting.at(-1);
    if (want === undefined || this.#running >= this.#limits.running) return undefined;
    if (this.#bytes + want.size > this.#limits.bytes && this.#started.size > 0) return undefined;
    this.#waiting.pop();
    this.#started.set(want.id, { size: want.size, running: true });
    this.#running += 1;
    this.#bytes += want.size;
    return want;
  }

  /** It has arrived, or failed. */
  settled(id: number): void {
    const started = this.#started.get(id);
    if (started?.running !== true) return;
    started.running = false;
    this.#running -= 1;
  }

  /** It is taken, or nobody wants it any more. */
  over(id: number): void {
    this.settled(id);
    const started = this.#started.get(id);
    if (started !== undefined) {
      this.#bytes -= started.size;
      this.#started.delete(id);
      return;
    }
    const index = this.#waiting.findIndex((want) => want.id === id);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  /** There is nothing that has not settled. */
  get idle(): boolean {
    return this.#waiting.length === 0 && this.#running === 0;
  }
}
