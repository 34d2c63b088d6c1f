/** What is remembered of mirrors from one transfer to the next: which failed lately, and how fast each was. */
import type { Clock } from '../../core/clock.ts';
import { mirrorRequest } from '../../core/http/mirror-url.ts';
import type { MirrorUrl } from '../../core/ids.ts';

/** A mirror that failed is asked last for this time, in milliseconds. */
const FAILING_MS = 30_000;
const MAX_MIRRORS = 1024;
/** Smaller answers say more of round trips and of bursts than of the rate. */
const MEASURED_BYTES = 1024 * 1024;
/** Answers that count together with others. */
const SUMMED_BYTES = 128 * 1024;

export class MirrorHealth {
  readonly #now: Clock['now'];
  /** Until when, by origin. */
  readonly #failing = new Map<string, number>();
  /** Bytes a millisecond, by origin. */
  readonly #rates = new Map<string, number>();
  /** Of answers that are too small by themselves. */
  readonly #sums = new Map<string, { readonly bytes: number; readonly ms: number }>();

  constructor(now: Clock['now']) {
    this.#now = now;
  }

  failing(url: MirrorUrl): boolean {
    return this.#failing.size > 0 && (this.#failing.get(mirrorRequest(url).origin) ?? 0) > this.#now();
  }

  noteOutcome(url: MirrorUrl, failed: boolean): void {
    if (!failed && this.#failing.size === 0) return;
    const { origin } = mirrorRequest(url);
    this.#failing.delete(origin);
    if (failed && this.#failing.size < MAX_MIRRORS) this.#failing.set(origin, this.#now() + FAILING_MS);
  }

  /** One transfer got these bytes in that time from the mirror. */
  noteRate(url: MirrorUrl, bytes: number, ms: number): void {
    if (bytes < SUMMED_BYTES) return;
    const { origin } = mirrorRequest(url);
    const known = this.#rates.has(origin);
    if (bytes >= MEASURED_BYTES) {
      if (known || this.#rates.size < MAX_MIRRORS) this.#rates.set(origin, bytes / Math.max(ms, 1));
      return;
    }
    // As long as nothing better is known: several of them together.
    const before = known ? undefined : (this.#sums.get(origin) ?? { bytes: 0, ms: 0 });
    if (before === undefined) return;
    const sum = { bytes: before.bytes + bytes, ms: before.ms + ms };
    this.#sums.delete(origin);
    if (sum.bytes >= MEASURED_BYTES) this.noteRate(url, sum.bytes, sum.ms);
    else if (this.#sums.size < MAX_MIRRORS) this.#sums.set(origin, sum);
  }

  /** What one transfer got from the mirror when that was measured last, in bytes a millisecond. */
  rate(url: MirrorUrl): number | undefined {
    return this.#rates.size === 0 ? undefined : this.#rates.get(mirrorRequest(url).origin);
  }
}
