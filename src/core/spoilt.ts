/**
 * Files of which somebody was sent bytes that turned out wrong. Whoever has these asks for the rest next, with the
 * entity tag of the right file; for a while it gets the whole instead, so that no wrong byte survives (DESIGN, trust).
 */
import type { Clock } from './clock.ts';
import { transferKey, type Identity } from './fetch-plan.ts';

/** Long enough for all of APT's retries, in milliseconds. */
const SPOILT_MS = 600_000;
const MAX_ENTRIES = 1024;

export class Spoilt {
  readonly #now: Clock['now'];
  /** Until when ranges are not given, by SHA-256 and by address. */
  readonly #until = new Map<string, number>();

  constructor(now: Clock['now']) {
    this.#now = now;
  }

  add(file: Identity): void {
    for (const key of namesOf(file)) {
      this.#until.delete(key);
      this.#until.set(key, this.#now() + SPOILT_MS);
      const [oldest] = this.#until.keys();
      if (oldest !== undefined && this.#until.size > MAX_ENTRIES) this.#until.delete(oldest);
    }
  }

  has(file: Identity): boolean {
    return this.#until.size > 0 && namesOf(file).some((key) => (this.#until.get(key) ?? 0) > this.#now());
  }
}

/** What nobody vouches for may be in an index when its rest is asked for, and the other way round. */
function namesOf({ sha256, url }: Identity): string[] {
  const byAddress = transferKey({ url });
  return sha256 === undefined ? [byAddress] : [sha256, byAddress];
}
