/**
 * How late the event loop is. To measure that takes a timer that wakes the thread a hundred times a second, which on an
 * idle machine is all that it does: so it runs only while there are requests, and a little longer.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Clock } from '../core/clock.ts';

/** The timer's interval, in milliseconds: shorter delays are not seen. */
export const RESOLUTION_MS = 10;
/** Without a request for this time it is not measured any more, in milliseconds. */
export const IDLE_MS = 10_000;

export class LoopDelay {
  readonly #clock: Clock;
  /** A new one after each rest: started again, it would count the rest as one long delay. */
  #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  /** The longest of those before, in nanoseconds. */
  #longest = 0;
  #busyAt = 0;
  #timer: { clear(): void } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get measuring(): boolean {
    return this.#timer !== undefined;
  }

  /** There is something to do: measures from now on. */
  busy(): void {
    this.#busyAt = this.#clock.now();
    if (this.#timer !== undefined) return;
    this.#longest = Math.max(this.#longest, this.#histogram.max);
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
    this.#look(IDLE_MS);
  }

  /**
   * Seconds that the loop was late at most in this share (0 to 1) of the samples since requests came after a rest; of
   * all of them (1), since the last reset.
   */
  quantile(share: number): number {
    const ns = share === 1 ? Math.max(this.#longest, this.#histogram.max) : this.#histogram.percentile(share * 100);
    // The interval is part of what the histogram counts.
    return Math.max(ns / 1e9 - RESOLUTION_MS / 1e3, 0);
  }

  reset(): void {
    this.#longest = 0;
    this.#histogram.reset();
  }

  close(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#histogram.disable();
  }

  #look(ms: number): void {
    this.#timer = this.#clock.setTimeout(() => {
      const left = this.#busyAt + IDLE_MS - this.#clock.now();
      if (left > 0) this.#look(left);
      else this.close();
    }, ms);
  }
}
