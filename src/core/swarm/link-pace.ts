/**
 * What a link brings while it has something to bring, for who decides whether to wait for it. Only what was measured
 * over many round trips counts: of a file that comes at once, or of one block from far away, nothing is known of the
 * rate. Pure: times in milliseconds come with each call.
 */

/** Measured over this time or more, in milliseconds, without a moment in which nothing was asked for. */
export const PACE_MS = 250;
/** What was measured so long ago may have changed, in milliseconds. */
export const PACE_LASTS_MS = 30_000;
/** Weight of what was measured last. */
const NEWEST = 0.5;

export class LinkPace {
  #rate = 0;
  #measuredAt = -Infinity;
  #since = 0;
  #bytes = 0;

  /** Something is asked for, and nothing was. */
  began(now: number): void {
    this.#since = now;
    this.#bytes = 0;
  }

  arrived(now: number, bytes: number): void {
    this.#bytes += bytes;
    const ms = now - this.#since;
    if (ms < PACE_MS) return;
    const rate = this.#bytes / ms;
    this.#rate = this.at(now) === undefined ? rate : this.#rate + NEWEST * (rate - this.#rate);
    this.#measuredAt = now;
    this.began(now);
  }

  /** Bytes a millisecond, as far as that is known. */
  at(now: number): number | undefined {
    return now - this.#measuredAt <= PACE_LASTS_MS ? this.#rate : undefined;
  }
}
