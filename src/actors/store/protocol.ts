/** What the store keeps and the messages it takes. It is the one writer of the cache directory's index. */
import type { MirrorUrl, Sha256, TransferKey } from '../../core/ids.ts';

export interface StoredFile {
  readonly sha256: Sha256;
  readonly path: string;
  readonly size: number;
  /** HTTP-date; the file's modification time. */
  readonly lastModified: string;
  /** False when the file changed, or may have changed, since its hash was last checked: hash it before trusting it. */
  readonly verified: boolean;
  /** Its hash was checked so long ago that the disk may have altered it since, which no date shows. */
  readonly checkAgain: boolean;
  /** What the file system said of it when it was looked up; another one is another file, or other bytes. */
  readonly fingerprint: string;
}

/** What an URL that no signed index knows last led to; the file itself is kept under its SHA-256. */
export interface NameRecord {
  readonly url: MirrorUrl;
  readonly sha256: Sha256;
  readonly size: number;
  readonly etag?: string;
  readonly lastModified?: string;
  readonly contentType?: string;
  /** Milliseconds since the epoch until which the mirror need not be asked again. */
  readonly freshUntil: number;
}

export interface PartialFile {
  readonly path: string;
  /** Ranges that an earlier transfer of the same content left. */
  readonly ranges: readonly (readonly [number, number])[];
}

export interface StoreStats {
  readonly files: number;
  readonly bytes: number;
  readonly limitBytes: number;
}

export interface StoreProtocol {
  /** Looks a finished file up and counts it as used. */
  find(sha256: Sha256): StoredFile | undefined;
  /**
   * Creates or reopens the partial file of a transfer after making room for `size` more bytes. With `resume` false an
   * earlier one is emptied. Fails with STORE_FULL when there is no room, STORE_IO when the directory cannot be used.
   */
  openPartial(key: TransferKey, size: number | undefined, resume: boolean): PartialFile;
  /** The partial file that is open will have `size` bytes, which was not known before; STORE_FULL if there is no room. */
  growPartial(key: TransferKey, size: number): true;
  /** Makes room on the disk for `size` bytes that others write into the cache directory; STORE_FULL if there is none. */
  makeRoom(size: number): true;
  /** Notes which ranges of a partial file are written, so that a transfer after a crash resumes. */
  checkpoint(key: TransferKey, ranges: readonly (readonly [number, number])[]): void;
  /** Flushes a partial file of `size` bytes whose hash was checked and renames it to a finished one. */
  commit(key: TransferKey, sha256: Sha256, size: number, lastModified: string | undefined): StoredFile;
  discardPartial(key: TransferKey): void;
  /** The transfer stops here; its partial file and the noted ranges stay for the next one. */
  parkPartial(key: TransferKey, ranges: readonly (readonly [number, number])[]): void;
  /** The hash of a finished file was checked and is right, for what it was when it was looked up. */
  right(file: StoredFile): void;
  /** Somebody could not read it, or read something else: its hash is checked before it is given out again. */
  doubt(sha256: Sha256): void;
  /** It is wrong: the file is removed. */
  wrong(sha256: Sha256): void;
  name(url: MirrorUrl): NameRecord | undefined;
  putName(record: NameRecord): void;
  dropName(url: MirrorUrl): void;
  /** Includes what earlier runs left; a large directory may still be read: then they are missing. */
  stats(): StoreStats;
}
