/**
 * Those who wait for bytes of one transfer. They are woken when a good amount has come, or after a moment, so that a
 * fast source does not cause a message for each small write.
 */
import type { Clock } from '../../core/clock.ts';

interface Waiter {
  readonly position: number;
  readonly wake: () => void;
  readonly timer: { clear(): void };
}

const GOOD_BYTES = 512 * 1024;
const MOMENT_MS = 8;
/** A wait without news ends after this time, so that the reader can look after its client. */
const LONGEST_WAIT_MS = 15_000;

export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiter>();
  #soon: { clear(): void } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Resolves when woken or after `ms` milliseconds, at most LONGEST_WAIT_MS. */
  wait(position: number, ms = LONGEST_WAIT_MS): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        position,
        wake: () => {
          waiter.timer.clear();
          this.#waiting.delete(waiter);
          resolve();
        },
        timer: this.#clock.setTimeout(() => waiter.wake(), Math.min(ms, LONGEST_WAIT_MS)),
      };
      this.#waiting.add(waiter);
    });
  }

  /** Bytes have come; `available(position)` is the end of what can be read from there. */
  progressed(available: (position: number) => number): void {
    if (this.#waiting.size === 0) return;
    let later = false;
    for (const waiter of [...this.#waiting]) {
      const bytes = available(waiter.position) - waiter.position;
      if (bytes >= GOOD_BYTES) waiter.wake();
      else if (bytes > 0) later = true;
    }
    if (later && this.#soon === undefined) {
      this.#soon = this.#clock.setTimeout(() => {
        this.#soon = undefined;
        for (const waiter of [...this.#waiting]) if (available(waiter.position) > waiter.position) waiter.wake();
      }, MOMENT_MS);
    }
  }

  /** Something changed that concerns everybody. */
  wakeAll(): void {
    this.#soon?.clear();
    this.#soon = undefined;
    for (const waiter of [...this.#waiting]) waiter.wake();
  }
}
