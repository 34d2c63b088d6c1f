/**
 * How long a mirror may take to the first byte of a body, over connections, redirects and second tries, and for how long it
 * has been silent. Each of these steps has its own bound, but APT, which gives up after 30 s, waits for all of them.
 */
import type { RangeJob } from '../source.ts';
import { timeoutsFor, type MirrorTimeouts } from './timeouts.ts';

export class FirstByte {
  /** Milliseconds from the first request on; undefined where no other mirror is there to be asked. */
  readonly #limit: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #late: (() => void) | undefined;
  #heardAt: number | undefined;
  expired = false;

  constructor({ others = false, again }: Pick<RangeJob, 'others' | 'again'>, timeouts: MirrorTimeouts | undefined) {
    const { headersMs, connectMs } =
      timeouts === undefined ? { headersMs: 0, connectMs: 0 } : timeoutsFor(timeouts, again);
    if (others && timeouts !== undefined) this.#limit = headersMs + connectMs / 2;
  }

  /** Milliseconds since the first request, or since the last byte of a body. */
  get silentMs(): number {
    return this.#heardAt === undefined ? 0 : performance.now() - this.#heardAt;
  }

  /** A mirror is asked; `late` is called when it takes too long. */
  asked(late: () => void): void {
    this.#late = late;
    if (this.#heardAt !== undefined) return;
    this.#heardAt = performance.now();
    if (this.#limit === undefined) return;
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.#late?.();
    }, this.#limit);
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
