/**
 * A token bucket that can be given tokens back, for messages that turn out to be answered: `burst` at once, `perSecond`
 * in the long run. Time comes from the caller, in milliseconds.
 */
export class Allowance {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = burst;
    this.#at = now;
  }

  /** False when there are not so many; none are taken then. */
  take(count: number, now: number): boolean {
    if (this.#tokens < count) {
      this.#fill(now);
      if (this.#tokens < count) return false;
    }
    this.#tokens -= count;
    return true;
  }

  giveBack(count: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + count);
  }

  /** True when nothing was taken for so long that this one is as good as new. */
  isFull(now: number): boolean {
    this.#fill(now);
    return this.#tokens >= this.#burst;
  }

  #fill(now: number): void {
    // A clock that was set back gives nothing, and takes nothing away.
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
