/**
 * Conditional requests in the order of RFC 9110 section 13.2.2. If-Match and If-Unmodified-Since are for origin
 * servers alone and are not evaluated here (RFC 9111 section 4.3.2).
 */
import { parseHttpDate } from './http-date.ts';

export interface ConditionalHeaders {
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
  readonly ifRange?: string | undefined;
}

/** What is known of the file that would be sent. */
export interface Validators {
  /** With quotes, and `W/` if weak. */
  readonly etag?: string | undefined;
  /** Milliseconds since the epoch; parts of a second are ignored. */
  readonly lastModified?: number | undefined;
}

/**
 * - `not-modified`: answer 304.
 * - `full`: answer with all of it, a Range header is to be ignored.
 * - `range-allowed`: answer as the Range header says, if there is one.
 */
export type ConditionalOutcome = 'not-modified' | 'full' | 'range-allowed';

/** @param now milliseconds since the epoch. For GET and HEAD. */
export function evaluateConditions(headers: ConditionalHeaders, file: Validators, now: number): ConditionalOutcome {
  if (headers.ifNoneMatch !== undefined) {
    if (noneMatchHits(headers.ifNoneMatch, file.etag)) return 'not-modified';
  } else if (notModifiedSince(headers.ifModifiedSince, file.lastModified, now)) {
    return 'not-modified';
  }
  return headers.ifRange === undefined || ifRangeHolds(headers.ifRange, file, now) ? 'range-allowed' : 'full';
}

const ENTITY_TAG = /^(W\/)?("[\x21\x23-\x7e\x80-\xff]*")$/;
const LISTED_TAG = /(?:^|,)[ \t]*(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)/g;

/** Weak comparison with each tag of the list (section 13.1.2); malformed members match nothing. */
function noneMatchHits(header: string, etag: string | undefined): boolean {
  if (header.trim() === '*') return true;
  const opaque = ENTITY_TAG.exec(etag ?? '')?.[2];
  return opaque !== undefined && [...header.matchAll(LISTED_TAG)].some((match) => match[1] === opaque);
}

function notModifiedSince(header: string | undefined, lastModified: number | undefined, now: number): boolean {
  const since = parseHttpDate(header, now);
  return since !== undefined && lastModified !== undefined && seconds(lastModified) <= seconds(since);
}

/** Strong comparison (section 13.1.5): the same strong tag, or exactly the same date. */
function ifRangeHolds(header: string, file: Validators, now: number): boolean {
  const tag = ENTITY_TAG.exec(header.trim());
  if (tag) return tag[1] === undefined && tag[2] === file.etag;
  const date = parseHttpDate(header.trim(), now);
  return date !== undefined && file.lastModified !== undefined && seconds(date) === seconds(file.lastModified);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
