/** How late a thread is for its own timers: what it may have added to a latency. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

export interface Lateness {
  readonly p99: number;
  readonly max: number;
}

/** Of the timer that is looked at. */
const INTERVAL_MS = 5;

/** @returns What ends it, in milliseconds */
export function measureLateness(): () => Lateness {
  const delay = monitorEventLoopDelay({ resolution: INTERVAL_MS });
  delay.enable();
  return () => {
    delay.disable();
    return latenessOf(delay);
  };
}

/** The histogram counts from one time to the next; only what is over the interval is late. */
export function latenessOf(delay: Pick<IntervalHistogram, 'percentile' | 'max'>): Lateness {
  const late = (ns: number): number => Math.max(0, ns / 1e6 - INTERVAL_MS);
  return { p99: late(delay.percentile(99)), max: late(delay.max) };
}
