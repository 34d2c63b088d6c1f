/** Time as a collaborator, so that tests can hold it still. */
export interface Clock {
  /** Milliseconds. They pass one after the other, also while the machine's clock is set: for how long something takes. */
  now(): number;
  setTimeout(callback: () => void, ms: number): { clear(): void };
}

/** The same with what the machine's clock says, which may be set at any moment: for dates that others wrote or read. */
export interface DatedClock extends Clock {
  /** Milliseconds since the epoch. */
  date(): number;
}

/** A date of at most `ms` milliseconds ago. One to come is of a clock that has been set back since, and is not recent. */
export function isRecent(at: number, date: number, ms: number): boolean {
  return at <= date && date - at <= ms;
}

/** How far the zero of all threads of this process lies before its start, so that no time is near zero. */
const ORIGIN_MS = performance.timeOrigin + performance.now() - process.uptime() * 1000;
const { uptime } = process;

export const systemClock: DatedClock = {
  // The same time as that of `performance`, in one call where that takes ten: it is asked for dozens of times for a file.
  now: () => ORIGIN_MS + uptime() * 1000,
  date: () => Date.now(),
  setTimeout(callback, ms) {
    const timer = setTimeout(callback, ms);
    return { clear: () => clearTimeout(timer) };
  },
};
