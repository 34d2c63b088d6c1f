/** The load: who asks for what and when. All of it follows from the seed, so that each target gets the same. Pure. */
import { randomNumbers } from '../../../test/support/random.ts';
import type { Sampler } from './popularity.ts';

export interface Load {
  readonly seed: string;
  readonly clients: number;
  /** Packages that a client asks for in one session. */
  readonly packagesEach: number;
  /** Sessions of each client: an update and an installation. */
  readonly sessions: number;
  /** Clients start evenly spread over this time. */
  readonly rampMs: number;
  /** Mean of the pause between a client's sessions; pauses are spread exponentially, at most five times the mean. */
  readonly thinkMs: number;
  /** Share of sessions that end in the middle of a file, 0 to 1. */
  readonly leave: number;
}

export interface Session {
  /** Indexes of packages, in the order asked for. */
  readonly packages: readonly number[];
  /** Which of them is the last, and after what share of its bytes the client leaves. */
  readonly leave: { readonly item: number; readonly share: number } | undefined;
  /** Pause after it. */
  readonly thinkMs: number;
}

const LONGEST_PAUSE = 5;

/** Milliseconds after the start of the run at which a client begins. */
export function startOf(load: Load, client: number): number {
  return load.clients > 1 ? (load.rampMs * client) / load.clients : 0;
}

export function sessionOf(load: Load, sampler: Sampler, client: number, session: number): Session {
  const random = randomNumbers(`${load.seed} client ${client} session ${session}`);
  const packages = sampler.distinct(random, load.packagesEach);
  const leaves = random() < load.leave;
  const leave = leaves ? { item: Math.floor(random() * packages.length), share: random() } : undefined;
  const pause = Math.min(-Math.log(1 - random()), LONGEST_PAUSE);
  return { packages, leave, thinkMs: load.thinkMs * pause };
}
