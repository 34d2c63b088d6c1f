/**
 * Whether file I/O is done in this thread. Between the page cache and warm memory it takes less time than handing it to
 * an I/O thread does; when it had to wait for the disk, the next calls are handed over for a while. So a slow disk
 * holds the thread up for a small share of its time only. Pure: times in milliseconds come with each call.
 */
export interface DoesInPlace {
  allows(now: number): boolean;
  /** A call in this thread has ended. */
  took(began: number, now: number): void;
}

/** Waiting takes at most one part in so many of the thread's time. */
const WAITS_ONE_IN = 20;

export class InPlace implements DoesInPlace {
  readonly #waitedMs: number;
  #handOverUntil = -Infinity;

  /** @param waitedMs a call that takes so long has waited for the disk; much less is the processor being shared */
  constructor(waitedMs: number) {
    this.#waitedMs = waitedMs;
  }

  allows(now: number): boolean {
    return now >= this.#handOverUntil;
  }

  took(began: number, now: number): void {
    const took = now - began;
    if (took >= this.#waitedMs) this.#handOverUntil = now + WAITS_ONE_IN * took;
  }
}
