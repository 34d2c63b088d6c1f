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
/** Fewer connections than this share of those before say nothing of what these could bring. */
const AS_MANY = 0.75;
/** For so long, in milliseconds; then whatever was measured last counts. */
const KNOWN_MS = 600_000;

/** What one transfer got from a mirror. */
export interface MirrorRate {
  /** Bytes a millisecond. */
  readonly rate: number;
  /** Requests that were under way meanwhile, on average. */
  readonly connections: number;
  readonly at: number;
}

export class MirrorHealth {
  readonly #now: Clock['now'];
  /** Until when, by origin. */
  readonly #failing = new Map<string, number>();
  /** By origin. */
  readonly #rates = new Map<string, MirrorRate>();
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

  /** One transfer got these bytes in that time from the mirror, over so many connections on average. */
  noteRate(url: MirrorUrl, bytes: number, ms: number, connections: number): void {
    if (bytes < SUMMED_BYTES) return;
    const { origin } = mirrorRequest(url);
    const known = this.#rates.get(origin);
    if (bytes >= MEASURED_BYTES) {
      const measured = { rate: bytes / Math.max(ms, 1), connections, at: this.#now() };
      const room = known !== undefined || this.#rates.size < MAX_MIRRORS;
      if (room) this.#rates.set(origin, known === undefined ? measured : latest(known, measured));
      return;
    }
    // As long as nothing better is known: several of them together.
    const before = known === undefined ? (this.#sums.get(origin) ?? { bytes: 0, ms: 0 }) : undefined;
    if (before === undefined) return;
    const sum = { bytes: before.bytes + bytes, ms: before.ms + ms };
    this.#sums.delete(origin);
    if (sum.bytes >= MEASURED_BYTES) this.noteRate(url, sum.bytes, sum.ms, 1);
    else if (this.#sums.size < MAX_MIRRORS) this.#sums.set(origin, sum);
  }

  /** What one transfer got from the mirror when that was measured last, over most connections. */
  rate(url: MirrorUrl): MirrorRate | undefined {
    return this.#rates.size === 0 ? undefined : this.#rates.get(mirrorRequest(url).origin);
  }
}

/** A single request says nothing of what several bring, unless so many times as much would still be less. */
function latest(known: MirrorRate, measured: MirrorRate): MirrorRate {
  const { rate, connections, at } = measured;
  if (rate >= known.rate || connections >= AS_MANY * known.connections || at - known.at >= KNOWN_MS) return measured;
  const most = (rate * known.connections) / connections;
  return most >= known.rate ? known : { ...known, rate: most };
}
