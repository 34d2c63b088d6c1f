/**
 * A link that was asked for something and sent nothing, until that was given up: the next small file is not asked of it
 * at once, as whoever waits for it would wait for that silence again. Whether it was the link's deadline that passed, or
 * a mirror that was quicker, makes no difference. Pure: times in milliseconds come with each call.
 */
/** So long without a block is a silence: a mirror is asked for what does not come after 500 ms. */
const SILENCE_MS = 250;
/** A link hesitates for this time after one, for twice as long after the next, up to a bound. */
const FIRST_MS = 2_000;
const MOST_MS = 32_000;

export class Hesitation {
  #blockAt = -Infinity;
  #until = -Infinity;
  #nextMs = FIRST_MS;

  /** A block came. */
  delivered(now: number): void {
    this.#blockAt = now;
    this.#until = -Infinity;
    this.#nextMs = FIRST_MS;
  }

  /** What was asked for at `askedAt` is not waited for any more. */
  gaveUp(askedAt: number, now: number): void {
    // What was asked for during a silence that is known is part of it.
    if (now - Math.max(askedAt, this.#blockAt) < SILENCE_MS || this.at(now)) return;
    this.#until = now + this.#nextMs;
    this.#nextMs = Math.min(2 * this.#nextMs, MOST_MS);
  }

  at(now: number): boolean {
    return now < this.#until;
  }
}
