/** A limit on bytes a second that lets short bursts through: used for each direction and for what may be asked. */
export interface TokenBucketOptions {
  /** Units (bytes, messages) a second; 0 is no limit. */
  readonly rate: number;
  /** Units that may go at once after a pause; a tenth of a second's, at least one block of 128 KiB, unless given. */
  readonly burst?: number;
}

const LEAST_BURST = 128 * 1024;

export class TokenBucket {
  /** Units a second; 0 is no limit. */
  readonly rate: number;
  readonly burst: number;
  /** At most `burst`; below 0 after more than `burst` was taken at once, or more was spent than there is. */
  #tokens: number;
  /** Milliseconds; undefined until first used. */
  #filledAt: number | undefined;

  constructor({ rate, burst = Math.max(rate / 10, LEAST_BURST) }: TokenBucketOptions) {
    if (!(rate >= 0) || !(burst > 0)) throw new RangeError('a token bucket needs a rate of 0 or more and a burst');
    this.rate = rate;
    this.burst = burst;
    this.#tokens = burst;
  }

  get limited(): boolean {
    return this.rate > 0;
  }

  /**
   * Takes so many units and returns 0, or takes nothing and returns in how many milliseconds (1 or more) to try again.
   * In any time t at most rate * t + burst go through. More than `burst` at once goes when the bucket is full, and is
   * paid for afterwards.
   * @param now milliseconds, of a clock that may be set back
   */
  take(units: number, now: number): number {
    if (this.rate === 0) return 0;
    this.#fill(now);
    const needed = Math.min(units, this.burst);
    if (this.#tokens >= needed) {
      this.#tokens -= units;
      return 0;
    }
    return Math.max(1, Math.ceil(((needed - this.#tokens) * 1000) / this.rate));
  }

  /**
   * Takes so many units that cannot be refused, as they are here already; returns after how many milliseconds all that
   * was taken until now is paid for. Who waits so long before each next time has his turn, however many others do.
   */
  spend(units: number, now: number): number {
    if (this.rate === 0) return 0;
    this.#fill(now);
    this.#tokens -= units;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens * 1000) / this.rate);
  }

  #fill(now: number): void {
    const elapsed = Math.max(0, now - (this.#filledAt ?? now));
    this.#filledAt = now;
    this.#tokens = Math.min(this.burst, this.#tokens + (elapsed * this.rate) / 1000);
  }
}
