/** What the fetching of one file needs, is told, and tells. */
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { FileInfo, RangeJob } from '../source.ts';
import type { Candidates, Fault } from './candidates.ts';
import type { Content } from './content.ts';
import type { JobsDeps } from './jobs.ts';
import type { MirrorRate } from './mirror-health.ts';
import type { PeerDirectory } from './peer-directory.ts';

export interface FetchingDeps extends JobsDeps {
  readonly log: Logger;
  /** Ranges of one file under way at once. */
  readonly connections: number;
  /** Bytes; what an answer without a known size may have at most. */
  readonly maxSize: number;
  failing(url: MirrorUrl): boolean;
  mirrorFailed(url: MirrorUrl, failed: boolean): void;
  /** A transfer got so many bytes in that time from a mirror. */
  noteRate(url: MirrorUrl, bytes: number, ms: number, connections: number): void;
  /** What a transfer got from the mirror when that was measured last. */
  mirrorRate(url: MirrorUrl): MirrorRate | undefined;
  /** Absent where there are no swarms. */
  readonly directory?: PeerDirectory | undefined;
  /** Counts bytes of peers. */
  peersReceived(bytes: number): void;
}

/** What the transfer hears. Nothing is fetched any more after `complete`, until `startOver`, and after the last two. */
export interface FetchingEvents {
  /** A mirror's headers were accepted. */
  started(): void;
  /** Bytes came, or can be read now. */
  progressed(): void;
  /** All bytes are there, and nobody writes to them. */
  complete(size: number): void;
  /** Bytes that were there are to be forgotten. */
  restarted(): void;
  notModified(info: FileInfo): void;
  exhausted(fault: Fault): void;
}

export interface FetchingOptions {
  readonly plan: FetchPlan;
  readonly content: Content;
  /** Where mirrors have it. */
  readonly candidates: Candidates;
  /** First byte that somebody waited for. */
  readonly focus: number;
  /** Where readers wait now. */
  readers(): readonly number[];
  /** Validators of a cached copy: one try at each mirror is then enough. */
  readonly revalidate: RangeJob['revalidate'];
}
