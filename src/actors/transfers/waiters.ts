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
/** A reader that has got bytes is back for more within this time, in milliseconds, or has gone. */
const BACK_MS = 1_000;
/** The place of who waits for news, not for bytes. */
const NO_PLACE = Number.MAX_SAFE_INTEGER;

interface Reader {
  position: number;
  /** When it was woken; undefined as long as it waits. */
  wokenAt: number | undefined;
}

export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiter>();
  readonly #onReader: () => void;
  /** Those that wait, or did a moment ago; who has got nothing for longest first. */
  #readers: Reader[] = [];
  #soon: { clear(): void } | undefined;

  /** @param onReader hears that somebody waits for bytes */
  constructor(clock: Clock, onReader: () => void) {
    this.#clock = clock;
    this.#onReader = onReader;
  }

  /** Where readers are. */
  get positions(): number[] {
    const since = this.#clock.now() - BACK_MS;
    this.#readers = this.#readers.filter(({ wokenAt = Infinity }) => wokenAt >= since);
    return this.#readers.map(({ position }) => position);
  }

  /** Resolves when it may be that there are bytes at `position`, or after some seconds. */
  async read(position: number): Promise<void> {
    const [back] = this.#readers
      .filter((reader) => reader.wokenAt !== undefined && reader.position <= position)
      .toSorted((a, b) => b.position - a.position);
    const reader: Reader = { position, wokenAt: undefined };
    // Who has got nothing keeps its turn.
    if (back?.position === position) this.#readers = this.#readers.map((each) => (each === back ? reader : each));
    else this.#readers = [...this.#readers.filter((each) => each !== back), reader];
    this.#onReader();
    await this.#wait(position);
    reader.wokenAt = this.#clock.now();
  }

  /** Resolves when there is news of any kind, or after `ms` milliseconds, or some seconds. */
  news(ms?: number): Promise<void> {
    return this.#wait(NO_PLACE, ms);
  }

  /** Resolves when woken or after `ms` milliseconds, at most LONGEST_WAIT_MS. */
  #wait(position: number, ms = LONGEST_WAIT_MS): Promise<void> {
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
