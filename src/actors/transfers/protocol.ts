/** Messages of the transfers actor, and what they carry. */
import type { ErrorCode } from '../../core/errors.ts';
import type { FetchPlan, SourceLabel } from '../../core/fetch-plan.ts';
import type { MirrorUrl, Sha256 } from '../../core/ids.ts';

export type TransferId = number;

/** What is known of a file's representation, for the headers of an answer. */
export interface FileHead {
  /** Bytes; undefined when the mirror does not say and the end has not come. */
  readonly size: number | undefined;
  readonly sha256: Sha256 | undefined;
  /** HTTP-date. */
  readonly lastModified: string | undefined;
  /** The mirror's ETag; content with a known hash is better named by that. */
  readonly etag: string | undefined;
  readonly contentType: string | undefined;
  /** Somebody may have wrong bytes of it: nobody is to be given a part of it alone. */
  readonly spoilt?: boolean;
}

/** A file whose bytes are all there and checked. */
export interface WholeFile extends FileHead {
  readonly kind: 'file';
  readonly size: number;
  readonly sha256: Sha256;
  /** Where it is now; when it has moved meanwhile it is at `finalPath`. */
  readonly path: string;
  readonly finalPath: string;
  readonly source: SourceLabel;
  /** The mirror could not be asked whether this is still current. */
  readonly stale: boolean;
  /** Until when (milliseconds since the epoch) the same name means the same file; Infinity where the hash says so. */
  readonly freshUntil: number;
}

/** A file that is arriving: read `path` as far as `wait` or `ready` allows. */
export interface ArrivingFile extends FileHead {
  readonly kind: 'arriving';
  readonly id: TransferId;
  readonly path: string;
  readonly source: SourceLabel;
  /** Changes when what was read so far must not be followed by what comes next. */
  readonly epoch: number;
  /** Of a ReadyMark: so much can be read from the beginning on in this epoch. Void in the next. */
  readonly ready: SharedArrayBuffer;
}

export type Progress =
  /** Bytes up to `end` can be read; equal to the position asked for when nothing came in time. */
  | { readonly kind: 'more'; readonly end: number; readonly size: number | undefined }
  | WholeFile
  | { readonly kind: 'restarted'; readonly epoch: number }
  /** What was read in an epoch before this one is void. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly epoch: number };

export interface TransferStatus {
  readonly path: string;
  readonly sha256: Sha256 | null;
  readonly size: number | null;
  readonly received: number;
  readonly from_peers: number;
  readonly from_mirror: number;
  readonly waiting_clients: number;
  readonly state: 'starting' | 'fetching' | 'verifying' | 'done' | 'failed';
}

export interface TransferTotals {
  readonly hashFailures: number;
  readonly fromMirrorBytes: number;
  readonly fromPeersBytes: number;
}

export interface TransfersProtocol {
  /**
   * Starts a transfer, joins the one that runs, or finds the file in the cache. Replies when the file is whole, or
   * when enough is known for the headers of an answer. `from` is the first byte wanted: it is fetched first.
   */
  open(plan: FetchPlan, from: number): WholeFile | ArrivingFile;
  /** Waits until bytes after `position` can be read, for a bounded time. */
  wait(id: TransferId, position: number, epoch: number): Progress;
  /** A client that was given an arriving file is done with it. */
  leave(id: TransferId): void;
  /** Fetches the whole file; replies when it is there and checked. */
  fetch(plan: FetchPlan): WholeFile;
  /** The finished file with this content, if it can be given without a check. Nothing is fetched. */
  cached(sha256: Sha256): WholeFile | undefined;
  /** What a mirror says about a file, without its body; with `reload` as in a plan. */
  head(url: MirrorUrl, reload?: boolean): FileHead;
  /** A finished file could not be read, or seems not to be what its name says: it is checked, not thrown away. */
  suspect(sha256: Sha256): void;
  status(): { readonly transfers: TransferStatus[]; readonly totals: TransferTotals };
}
