/**
 * How long a mirror may take to the first byte of a body, over connections, redirects and second tries, and for how long it
 * has been silent. Each of these steps has its own bound, but APT, which gives up after 30 s, waits for all of them.
 */
import type { RangeJob } from '../source.ts';
import { timeoutsFor, type MirrorTimeouts } from './timeouts.ts';

export class FirstByte {
  /** Milliseconds that mirrors may still take in all; undefined where no other mirror is there to be asked. */
  #left: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the mirror that is asked now, was; undefined while that waits for its turn. */
  #askedAt: number | undefined;
  #late: (() => void) | undefined;
  #heardAt: number | undefined;
  expired = false;

  constructor({ others = false, again }: Pick<RangeJob, 'others' | 'again'>, timeouts: MirrorTimeouts | undefined) {
    const { headersMs, connectMs } =
      timeouts === undefined ? { headersMs: 0, connectMs: 0 } : timeoutsFor(timeouts, again);
    if (others && timeouts !== undefined) this.#left = headersMs + connectMs / 2;
  }

  /** Milliseconds since the first request, or since the last byte of a body. */
  get silentMs(): number {
    return this.#heardAt === undefined ? 0 : performance.now() - this.#heardAt;
  }

  /** A place in the queue of a mirror is waited for: what others take there says nothing of this request. */
  queued(): void {
    this.stop();
    if (this.#askedAt === undefined || this.#left === undefined) return;
    this.#left -= performance.now() - this.#askedAt;
    this.#askedAt = undefined;
  }

  /** A mirror is asked; `late` is called when it takes too long. */
  asked(late: () => void): void {
    this.#late = late;
    this.#heardAt ??= performance.now();
    if (this.#left === undefined || this.#askedAt !== undefined) return;
    this.#askedAt = performance.now();
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.#late?.();
    }, this.#left);
  }

  /** A byte of the body has come. */
  came(): void {
    this.#heardAt = performance.now();
    this.stop();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
