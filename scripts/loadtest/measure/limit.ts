/** What kept a run from being faster. Pure. */
import type { Limit } from '../results.ts';

export interface Shares {
  /** Share of the time that the busiest thread of clients worked, 0 to 1. */
  readonly busiestClients: number;
  /** Share of all processors that was idle. */
  readonly idle: number;
  /** Processors that the harness and the target used, on average. */
  readonly harness: number;
  readonly target: number;
}

const FULL = 0.85;
const IDLE = 0.1;

/**
 * - `harness`: a thread of clients had no time left, or the harness took more of a full machine than the target
 * - `processors`: the machine was full, mostly of the target
 * - `target`: there was time left on the machine, and the target used a processor or more
 * - `none`: neither; clients were waiting for their own pauses, for the mirror, or for something inside the target
 */
export function limitOf({ busiestClients, idle, harness, target }: Shares): Limit {
  if (busiestClients >= FULL) return 'harness';
  if (idle < IDLE) return harness > target ? 'harness' : 'processors';
  return target >= FULL ? 'target' : 'none';
}
