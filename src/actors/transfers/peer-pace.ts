/** Whether peers are too slow for a mirror to stand by. Pure. */

/** Nothing of what is needed soonest came for this time, in milliseconds, */
export const STALLED_MS = 500;
/** or, where first bytes usually take longer than that, for so many times as long, up to a bound: all are busy then. */
const STALLED_TIMES = 3;
export const MAX_STALLED_MS = 1_500;
/** Jobs of peers are looked at so often, in milliseconds. */
export const LOOK_MS = 100;
/** A rate counts when it was measured over this time, in milliseconds. */
export const SLOW_MS = 1_000;

/** Shares of the mirror's rate. */
const ALONE = 0.75;
const IN_A_CROWD = 0.5;

/** Milliseconds without a byte that make a stall where first bytes come after so many as a rule. */
export function stalledMs(firstBytesMs: number): number {
  return Math.max(STALLED_MS, Math.min(STALLED_TIMES * firstBytesMs, MAX_STALLED_MS));
}

/** The same in looks. */
export function stalledLooks(firstBytesMs: number): number {
  return stalledMs(firstBytesMs) / LOOK_MS;
}

/**
 * What peers have to give for the mirror to stand by: to spare it, a file may take a third longer than from the mirror,
 * and where others wait for the mirror's bytes as well, twice as long as its part for each of them would.
 */
export function leastPace(mirrorRate: number, wanters: number): number {
  return wanters === 0 ? ALONE * mirrorRate : (IN_A_CROWD * mirrorRate) / (wanters + 1);
}

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

export class PeerPace {
  #samples: Sample[] = [];

  /** Peers have sent so many bytes up to now; to be told several times a second while they are asked. */
  sample(now: number, bytes: number): void {
    this.#samples.push({ at: now, bytes });
    // One sample at least as old as the window stays.
    while (this.#samples[1] !== undefined && this.#samples[1].at <= now - SLOW_MS) this.#samples.shift();
  }

  /** Peers were not asked for a while. */
  reset(): void {
    this.#samples = [];
  }

  /** Bytes a millisecond over the window; undefined as long as that has not passed. */
  rate(): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < SLOW_MS) return undefined;
    return (last.bytes - first.bytes) / (last.at - first.at);
  }

  /**
   * They give less than the mirror's rate, in bytes a millisecond, makes worth a wait; `wanters` is how many machines
   * want the same, which have the mirror's line between them.
   */
  slowerThan(mirrorRate: number | undefined, wanters: number): boolean {
    const rate = this.rate();
    return rate !== undefined && mirrorRate !== undefined && rate < leastPace(mirrorRate, wanters);
  }
}
