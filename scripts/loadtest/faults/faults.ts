/** What goes wrong between a target and the mirror, and which answer is hit; all of it follows from the seed. Pure. */
import { randomNumbers } from '../../../test/support/random.ts';

export interface MirrorFaults {
  /** Milliseconds before each answer. */
  readonly latency?: number;
  /** Bytes a second of each connection, and of all together. */
  readonly rate?: number;
  readonly totalRate?: number;
  /** Shares of answers, 0 to 1: that are a 503, that end in the middle, that stop there for good, that are a reset. */
  readonly errors?: number;
  readonly truncate?: number;
  readonly stall?: number;
  readonly reset?: number;
}

export interface Faults extends MirrorFaults {
  /** Milliseconds from one restart of a daemon to the next. */
  readonly restart?: number;
  /** Milliseconds from the death of one peer to that of the next. */
  readonly killPeer?: number;
}

export interface Mishap {
  readonly kind: 'error' | 'reset' | 'truncate' | 'stall';
  /** Share of the body that is sent before it; means nothing for an error or a reset. */
  readonly after: number;
}

const MIRROR_FAULTS = ['latency', 'rate', 'totalRate', 'errors', 'truncate', 'stall', 'reset'] as const;

/** True when a mirror as it should be will not do. */
export function needsRelay(faults: Faults): boolean {
  return MIRROR_FAULTS.some((name) => (faults[name] ?? 0) > 0);
}

/** Says for one answer after the other what happens to it. */
export function createMishaps(faults: MirrorFaults, seed: string): () => Mishap | undefined {
  const random = randomNumbers(`${seed} faults`);
  const { errors = 0, truncate = 0, stall = 0, reset = 0 } = faults;
  const shares = [
    ['error', errors],
    ['reset', reset],
    ['truncate', truncate],
    ['stall', stall],
  ] as const;
  return () => {
    const [at, after] = [random(), random()];
    let upTo = 0;
    const kind = shares.find(([, share]) => at < (upTo += share))?.[0];
    return kind === undefined ? undefined : { kind, after };
  };
}
