/**
 * Messages between the transfers, in the fetch thread, and the peers, in the thread that all swarms share. Facts cross
 * the threads, bytes do not: peers write into the transfer's partial file and say which ranges are there.
 */
import type { ErrorCode } from '../../core/errors.ts';
import type { CatalogueUpdate } from '../../core/archive/archive-state.ts';
import type { InfoHash, Sha256 } from '../../core/ids.ts';
import type { JobId } from '../source.ts';

/**
 * One file that this machine wants from peers, from `seek` until `over`. Chosen by the transfers, never reused, also not
 * after a failure.
 */
export type WantId = number;

/** Nobody waits longer for the first answers of peers, in milliseconds: then the mirror is asked. */
export const SEEK_MS = 50;

/** Half-open ranges of bytes, ascending and disjoint. */
export type Ranges = readonly (readonly [start: number, end: number])[];

export interface WantedFile {
  readonly id: WantId;
  readonly sha256: Sha256;
  readonly size: number;
  /** The partial file, which exists or may be made (mode 0600); peers write only ranges of their jobs. */
  readonly path: string;
  /** The byte that is needed first: jobs are served in the order of the file from there on, then from its beginning. */
  readonly focus: number;
  /** Torrents that contain it; never empty, all of archives that may be shared. */
  readonly torrents: readonly InfoHash[];
}

/** What peers can do for a want now. */
export interface PeerView {
  /** Connected peers that were asked. */
  readonly asked: number;
  /** Some of them have not answered yet. */
  readonly unanswered: boolean;
  /** Machines that want the same file now and whose word counts. */
  readonly wanters: number;
  /** Ranges that at least one peer has and would send. */
  readonly available: Ranges;
  /**
   * Ranges that another machine is taking from the mirror, or is about to, for all who want this file: they become
   * available, or leave this list when that machine is silent for too long. Not to be asked of the mirror meanwhile.
   */
  readonly elsewhere: Ranges;
  /** Bytes a millisecond of it that those who have it bring, with what else they have to do, if known of each of them. */
  readonly pace?: number;
}

export interface PeerJob {
  readonly id: JobId;
  readonly want: WantId;
  readonly start: number;
  readonly end: number;
}

/** What became of a job. Nobody writes into its range any more when this is said, after a cancellation within 2 s. */
export type PeerOutcome =
  /** The whole range is written, also what was not told. */
  | { readonly kind: 'done' }
  /** No peer gives (the rest of) the range now; what was written has been told. Ask the mirror, or try again. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** A peer as bans know it: its link's address, without the port, and its peer id. */
export interface PeerKey {
  readonly address: string;
  readonly peerId: string;
}

/** A block that a peer sent and that was written. */
export interface Contribution {
  readonly peer: PeerKey;
  readonly start: number;
  readonly end: number;
}

export interface PeersStatus {
  readonly listening: string | null;
  readonly peers: readonly {
    readonly address: string;
    readonly client: string;
    readonly down_bytes: number;
    readonly up_bytes: number;
    readonly banned: boolean;
  }[];
  /** Links by torrent, and files that peers of it want from this machine or it from them. */
  readonly torrents: Readonly<Record<InfoHash, { readonly peers: number; readonly wanted: number }>>;
  readonly totals: { readonly downBytes: number; readonly upBytes: number; readonly bans: number };
}

/** How many links there are for each torrent: with none for a file's torrents nobody needs to be asked. */
export type LinkCounts = Readonly<Record<InfoHash, number>>;

export interface PeersProtocol {
  /** The transfers begin, perhaps once more after a failure: wants that are open are over. */
  begun(): LinkCounts;
  /**
   * Opens a want and asks all links that share one of its torrents. Replies as soon as somebody has the whole file, or
   * everybody has answered, or SEEK_MS have passed; at once when there is nobody to ask. Later changes are told
   * to the sink (`offered`).
   */
  seek(file: WantedFile): PeerView;
  /** Fetches one range of an open want from those who have it. */
  fetch(job: PeerJob): PeerOutcome;
  cancel(id: JobId): void;
  /**
   * What this machine itself is taking from the mirror for an open want (`fetching`), and has taken (`have`): the
   * provenance rule lets it offer those pieces before the whole file is verified. Whole states, not changes.
   */
  mirrored(id: WantId, fetching: Ranges, have: Ranges): void;
  /** The want is over. Verified: its file is right and may be offered whole. */
  over(id: WantId, verified: boolean): void;
  /** A shareable file has been verified that no want was opened for. */
  verified(sha256: Sha256, size: number, path: string, finalPath: string): void;
  /** Who sent what is now in the file, in the order of writing (the last writer of a byte counts). */
  contributions(id: WantId): readonly Contribution[];
  /** These peers sent bytes that were wrong. */
  ban(peers: readonly PeerKey[], reason: string): void;
  /** What may be shared; the whole state. */
  catalogue(update: CatalogueUpdate): void;
  /** Addresses to connect to, for a torrent; from discovery, bounded and deduplicated there. */
  found(torrent: InfoHash, addresses: readonly { readonly host: string; readonly port: number }[], via: string): void;
  status(): PeersStatus;
}

export interface PeersSinkProtocol {
  /** What peers can do for a want has changed. */
  offered(id: WantId, view: PeerView): void;
  /** Bytes [start, end) of a peer job's file are written; those with which the job is done need not be told. */
  peerWrote(id: JobId, start: number, end: number): void;
  /** The links are these now. */
  neighbours(links: LinkCounts): void;
}
