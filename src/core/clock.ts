/** Time as a collaborator, so that tests can hold it still. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  setTimeout(callback: () => void, ms: number): { clear(): void };
}

/** It was at most `ms` milliseconds ago. A time to come is of a clock that has been set back since, and is not recent. */
export function isRecent(at: number, now: number, ms: number): boolean {
  return at <= now && now - at <= ms;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, ms) {
    const timer = setTimeout(callback, ms);
    return { clear: () => clearTimeout(timer) };
  },
};

/**
 * The same, but one that goes on from where it was when the clock is set back: for what is waited for, which would be
 * waited for that much longer.
 */
export function onwards(clock: Clock): Clock {
  let seen = clock.now();
  let lost = 0;
  return {
    now() {
      const now = clock.now();
      lost += Math.max(0, seen - now);
      seen = now;
      return now + lost;
    },
    setTimeout: (callback, ms) => clock.setTimeout(callback, ms),
  };
}
