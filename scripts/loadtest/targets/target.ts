/** What the load is put on. A target is described first, and then started once for each run, with nothing in its cache. */
import type { Scope } from '../../support/scope.ts';
import type { LoadArchive } from '../archive/load-archive.ts';
import type { Route } from '../client/route.ts';

export interface TargetContext {
  /** An empty directory of this run, which every user may pass through. */
  readonly directory: string;
  /** HOST:PORT of the mirror of this run. */
  readonly mirror: string;
  readonly archive: LoadArchive;
  /** What it says goes here. */
  readonly logFile: string;
}

export interface RunningTarget {
  /** Where clients go; more than one for a swarm. */
  readonly routes: readonly Route[];
  /** The way to peers that no client uses, and that have everything before the load begins. */
  readonly peerRoutes?: readonly Route[];
  /** `debtorrent://` in place of `http://` is understood, in prefix form. */
  readonly speaksMethod?: boolean;
  /** The processes whose trees are measured; none for a target that somebody else started. */
  pids(): readonly number[];
  /** Seconds that its event loop was late at most, lately; undefined where it cannot be asked. */
  loopDelay?(): Promise<number | undefined>;
  /** Resolves when it knows what it has been asked for, such as an index that it loads in the background. */
  settled?(): Promise<void>;
  /** Stops one of its processes and starts it again on the same cache and port. */
  restart?(): Promise<void>;
  /** Kills one that no client goes to for good, without a warning; false when none is left. */
  killPeer?(): Promise<boolean>;
}

export interface Target {
  readonly name: string;
  /** How clients speak to it, and what else is worth knowing in a report. */
  readonly about: string;
  /** Why it cannot run here, in a few words. */
  unable(): Promise<string | undefined>;
  version(scope: Scope): Promise<string>;
  start(scope: Scope, context: TargetContext): Promise<RunningTarget>;
}
