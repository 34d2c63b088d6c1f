/** What follows when a link does not bring what it has: others are asked, and it is left alone for a while. */
import type { Clock } from '../../../core/clock.ts';
import type { Logger } from '../../../core/logging.ts';
import { SNUBBED_MS } from './lane.ts';
import type { Requester } from './requester.ts';
import type { Seller } from './seller.ts';
import type { Want } from './want.ts';

export interface SlownessDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly requester: Requester;
  /** What peers can do for the want has changed. */
  changed(want: Want): void;
}

/** A link that was too slow for a file is tried again for it after this time, doubling, in milliseconds. */
const SLOW_MS = 15_000;
const MAX_SLOW_MS = 120_000;

export class Slowness {
  readonly #deps: SlownessDeps;

  constructor(deps: SlownessDeps) {
    this.#deps = deps;
  }

  /** What a link was asked for at `askedAt` does not come. */
  slow(seller: Seller, askedAt: number): void {
    const { lane, want } = seller;
    const now = this.#deps.clock.now();
    lane.hesitation.gaveUp(askedAt, now);
    if (want.closed || seller.slowUntil > now) return;
    const wait = Math.min(SLOW_MS * 2 ** seller.slowTimes, MAX_SLOW_MS);
    seller.slowTimes += 1;
    seller.slowUntil = now + wait;
    this.#without(seller, wait);
    if (!lane.wasSlow(askedAt, now)) return;
    this.#deps.log.info(
      { peer: lane.link.name, reason: 'does not answer in time' },
      'a peer is left alone for a while',
    );
    for (const other of lane.sellers) this.#without(other, SNUBBED_MS);
  }

  #without(seller: Seller, ms: number): void {
    const { want } = seller;
    want.later(ms, () => this.#deps.changed(want));
    this.#deps.requester.withdraw(seller);
    this.#deps.changed(want);
  }
}
