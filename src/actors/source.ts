/**
 * The interface between a transfer and the places its bytes come from. A source is an actor that takes jobs, each one
 * range of one file; it writes what it gets straight into the transfer's partial file and tells the sink which bytes
 * are there, so no payload travels in a message. HTTP backup is the first source; swarms are the next.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { MirrorUrl, Sha256 } from '../core/ids.ts';

export type JobId = number;

export interface RangeJob {
  readonly id: JobId;
  /** Only the headers are wanted: the outcome is `done` with what they say, and nothing is written. */
  readonly headersOnly?: boolean;
  readonly url: MirrorUrl;
  /** Caches on the way to the mirror are to ask it. */
  readonly reload?: boolean;
  /** Nobody waits for the file yet. */
  readonly ahead?: boolean;
  /** What it begins with did not come in time from the one that was asked before: silence is borne for less long. */
  readonly again?: boolean;
  /** Another mirror can be asked if this one takes long. */
  readonly others?: boolean;
  /** The partial file, which exists. The source writes only within the job's range. */
  readonly path: string;
  readonly start: number;
  /** First byte not wanted; absent asks for everything from `start` on. */
  readonly end?: number;
  /** Bytes of the whole file where they are known; an answer that contradicts it is refused. */
  readonly size?: number;
  /** Most bytes that may be written when the size is not known. */
  readonly maxSize: number;
  /** Strong validator of what was fetched before, sent as If-Range (RFC 9110 section 13.1.5). */
  readonly ifRange?: string;
  /** Validators of a cached copy: asks for a 304 (RFC 9110 section 13.1). */
  readonly revalidate?: { readonly etag?: string; readonly lastModified?: string };
}

/** What a source learned about the whole file from the answer's headers. */
export interface FileInfo {
  /** Bytes of the whole file; absent when the answer does not say. */
  readonly size?: number;
  readonly lastModified?: string;
  readonly etag?: string;
  readonly contentType?: string;
  /** Milliseconds for which the answer may be used without asking again (RFC 9111 section 4.2). */
  readonly freshMs: number;
  /** False when the answer may be given to those who wait for it now but must not be kept (RFC 9111 section 3). */
  readonly storable: boolean;
}

export type RangeOutcome =
  /** The range is in the file. `sha256` is there when the job covered the whole file in one go. */
  | { readonly kind: 'done'; readonly info: FileInfo; readonly end: number; readonly sha256?: Sha256 }
  /** The cached copy is still right. */
  | { readonly kind: 'not-modified'; readonly info: FileInfo }
  /** The source has the file but can only give it from its beginning; nothing was written. */
  | { readonly kind: 'no-ranges' }
  /** The file is no longer the one that `ifRange` or `size` means; nothing of the new one was written. */
  | { readonly kind: 'changed' }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      /** The same job may succeed later or elsewhere. */
      readonly transient: boolean;
      /** Milliseconds that the source asks to wait before the next try. */
      readonly retryAfterMs?: number;
      /** Milliseconds for which nothing of the file had come. */
      readonly silentMs?: number;
    };

export interface SourceProtocol {
  fetch(job: RangeJob): RangeOutcome;
  cancel(id: JobId): void;
  /** Somebody waits for the job's file now, which was fetched ahead. */
  wanted(id: JobId): void;
}

export interface SourceSinkProtocol {
  /** The answer's headers are there and were accepted; bytes follow from `sender`, which is where redirects led. */
  started(id: JobId, info: FileInfo, sender: MirrorUrl): void;
  /** Bytes [start, end) of the job's file are written. */
  wrote(id: JobId, start: number, end: number): void;
}

/** It asks for all of a file, as far as its size is known: one answer brings it, and its source hashes it on the way. */
export function isWhole({ start, end, size }: RangeJob): boolean {
  return start === 0 && (end === undefined || end === size);
}
