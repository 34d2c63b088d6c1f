/**
 * What the packages parser knows about archives, as facts for messages and for the state file. The tables themselves
 * are in segments that this names.
 */
import type { InfoHash, MirrorUrl, Sha256 } from '../ids.ts';
import type { Compression } from './index-name.ts';
import type { ArchiveLayout, ReleaseName } from './location.ts';
import { pathKey, splitMirrorUrl } from './mirror-path.ts';

declare const brand: unique symbol;

/** An archive is one Release directory: `host[:port]/path` without scheme and without a slash at the end. */
export type ArchiveKey = string & { readonly [brand]: 'ArchiveKey' };

/** Names a segment, on disk and in messages. A name is never reused for other content. */
export type SegmentFile = string & { readonly [brand]: 'SegmentFile' };

/** The key of a directory, decoded as look-ups decode it. */
export function archiveKey(directory: MirrorUrl): ArchiveKey {
  const path = splitMirrorUrl(directory);
  return (path ? pathKey(path, path.segments.length) : directory) as ArchiveKey;
}

/**
 * - `loaded`: the segment is that of the adopted Release.
 * - `loading`: the adopted Release has other content than the segment, or there is no segment yet; work is under way.
 * - `failed`: it could not be loaded; the segment, if there is one, is that of an earlier Release.
 */
export type IndexStatus = 'loaded' | 'loading' | 'failed';

/** An index that somebody uses. */
export interface IndexState {
  /** Uncompressed name relative to the Release's directory: `main/binary-amd64/Packages`. */
  readonly name: string;
  readonly kind: 'packages' | 'sources';
  readonly component: string;
  readonly architecture: string;
  readonly torrent: InfoHash;
  readonly torrentName: string;
  readonly status: IndexStatus;
  /** The form that clients ask for; absent while only its diffs were asked for. */
  readonly form?: Compression;
  readonly segment?: LoadedSegment;
  /** Why status is `failed`. */
  readonly error?: string;
}

export interface LoadedSegment {
  readonly file: SegmentFile;
  /** Identity of the content that it was made from: SHA-256 of the uncompressed index, or of a compressed form. */
  readonly content: Sha256;
  /** Date of the Release that listed the content, in ms since the epoch. */
  readonly date: number;
  readonly files: number;
  /** Sum of the files' sizes. */
  readonly bytes: number;
  /** Entries of the index that were not taken over. */
  readonly skipped: number;
}

export interface ArchiveState {
  readonly key: ArchiveKey;
  /** What Filename of Packages is relative to, without a slash at its end; in flat archives a guess. */
  readonly root: MirrorUrl;
  readonly releaseDir: MirrorUrl;
  readonly layout: ArchiveLayout;
  /** Which file the Release came in. */
  readonly releaseName: Exclude<ReleaseName, 'Release.gpg'>;
  /** SHA-256 of the bytes that were verified (InRelease; Release and signature, one after the other). */
  readonly verified: Sha256;
  /** Clients were given another Release since, which was not adopted (Catalogue.setDiverged). */
  readonly diverged?: boolean;
  readonly origin: string;
  readonly label: string;
  readonly suite: string;
  readonly codename: string;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  /** Milliseconds since the epoch. */
  readonly date: number;
  readonly validUntil?: number;
  readonly acquireByHash: boolean;
  readonly noSupportForArchitectureAll: boolean;
  /** True when a keyring that the configuration calls public verifies it: only then may peers be asked. */
  readonly public: boolean;
  /** Table of what the Release lists, under plain and by-hash names relative to releaseDir. */
  readonly segment: SegmentFile;
  readonly indexes: readonly IndexState[];
}

/** The segments that an archive's state names. */
export function segmentsOf(state: ArchiveState): SegmentFile[] {
  return [state.segment, ...state.indexes.flatMap(({ segment }) => (segment ? [segment.file] : []))];
}

/** The whole state: what is not in it is gone. */
export interface CatalogueUpdate {
  readonly archives: readonly ArchiveState[];
  /** All that the archives name, checked; the threads share the memory. */
  readonly segments: ReadonlyMap<SegmentFile, SharedArrayBuffer>;
}

/** One torrent: what /status.json shows of it and what the swarm is told. */
export interface TorrentSummary {
  readonly id: InfoHash;
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  readonly public: boolean;
}
