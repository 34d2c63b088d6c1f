/**
 * Decides from status and headers alone what a mirror's answer is: bytes that may be written, or one of the outcomes
 * that write nothing. Pure, so that each way a mirror can be wrong has a test without a socket.
 */
import type { ErrorCode } from '../../core/errors.ts';
import { freshnessOf, isStorable } from '../../core/http/freshness.ts';
import { formatHttpDate, parseHttpDate } from '../../core/http/http-date.ts';
import type { FileInfo, RangeJob, RangeOutcome } from '../source.ts';
import { parseContentRange } from './content-range.ts';

export type Headers = Record<string, string | string[] | undefined>;

export interface Body {
  readonly info: FileInfo;
  /** Where the first byte of the body belongs. */
  readonly start: number;
  /** First byte after the body; undefined when the answer does not say how long it is. */
  readonly end: number | undefined;
  /** The answer is the whole file. */
  readonly whole: boolean;
  /** Content coding to undo; the identity was asked for, so this is a mirror's fault that can be mended. */
  readonly decode: 'gzip' | 'deflate' | 'br' | undefined;
}

export type Answer = { readonly body: Body } | { readonly outcome: RangeOutcome };

const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
const FINAL: Readonly<Record<number, ErrorCode>> = {
  401: 'FORBIDDEN',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  410: 'GONE',
  451: 'FORBIDDEN',
};

/** Reads the head of an answer to `job`; `now` is milliseconds since the epoch. */
export function readAnswer(job: RangeJob, status: number, headers: Headers, now: number): Answer {
  if (status === 304 && job.revalidate !== undefined) {
    return { outcome: { kind: 'not-modified', info: infoOf(headers, undefined, now) } };
  }
  if ((status === 200 || status === 206) && isCoded(headers)) {
    return failed('MIRROR_PROTOCOL', 'a transfer coding other than chunked', false);
  }
  if (status === 200) return wholeAnswer(job, headers, now);
  if (status === 206) return rangeAnswer(job, headers, now);
  if (status === 416 && job.start > 0) return { outcome: nothingLeft(job, headers) };
  const code = FINAL[status];
  if (code !== undefined) return failed(code, `the mirror answered ${status}`, false);
  if (!TRANSIENT.has(status)) return failed('MIRROR_PROTOCOL', `the mirror answered ${status}`, false);
  const retryAfterMs = retryAfter(one(headers, 'retry-after'), now);
  return failed('MIRROR_ERROR', `the mirror answered ${status}`, true, retryAfterMs);
}

/** The parser undoes chunks, and shows what any other transfer coding made of the file (RFC 9112 section 6.1). */
function isCoded(headers: Headers): boolean {
  const codings = [headers['transfer-encoding'] ?? []].flat().join(',').toLowerCase();
  return codings.split(',').some((coding) => !['', 'chunked', 'identity'].includes(coding.trim()));
}

/** Of a file whose size was not known, all may be there already: its hash, which is known then, decides. */
function nothingLeft(job: RangeJob, headers: Headers): RangeOutcome {
  const whole = job.size === undefined && job.ifRange === undefined;
  if (!whole || one(headers, 'content-range')?.trim() !== `bytes */${job.start}`) return { kind: 'changed' };
  return { kind: 'done', info: { size: job.start, storable: true, freshMs: 0 }, end: job.start };
}

function wholeAnswer(job: RangeJob, headers: Headers, now: number): Answer {
  // If-Range that no longer holds is answered with the whole new file (RFC 9110 section 13.1.5).
  if (job.start > 0) return { outcome: job.ifRange === undefined ? { kind: 'no-ranges' } : { kind: 'changed' } };
  if (job.end !== undefined && job.end !== job.size) return { outcome: { kind: 'no-ranges' } };
  const length = contentLength(headers);
  if (length === 'bad') return failed('MIRROR_PROTOCOL', 'Content-Length is no number', true);
  const decode = codingOf(job, headers, length);
  if (decode === 'unknown') return failed('MIRROR_PROTOCOL', 'unknown Content-Encoding', false);
  const size = decode === undefined ? length : undefined;
  const wrong = checkSize(job, size);
  if (wrong !== undefined) return wrong;
  return {
    body: { info: infoOf(headers, size ?? job.size, now), start: 0, end: size ?? job.size, whole: true, decode },
  };
}

function rangeAnswer(job: RangeJob, headers: Headers, now: number): Answer {
  const asked = job.start > 0 || job.end !== undefined;
  if (!asked) return failed('MIRROR_PROTOCOL', 'a 206 to a request without Range', true);
  const text = one(headers, 'content-range');
  const range = text === undefined ? undefined : parseContentRange(text);
  if (range === undefined) return failed('MIRROR_PROTOCOL', 'a 206 without a usable Content-Range', true);
  if (range.start !== job.start || (job.end !== undefined && range.end > job.end)) {
    return failed('MIRROR_PROTOCOL', 'a 206 with another range than was asked for', true);
  }
  if (one(headers, 'content-encoding') !== undefined && one(headers, 'content-encoding') !== 'identity') {
    return failed('MIRROR_PROTOCOL', 'a range of an encoded file', true);
  }
  const length = contentLength(headers);
  if (length === 'bad' || (length !== undefined && length !== range.end - range.start)) {
    return failed('MIRROR_PROTOCOL', 'Content-Length and Content-Range disagree', true);
  }
  const etag = one(headers, 'etag');
  // Some servers send ranges of a new file though If-Range names the old one.
  if (job.ifRange !== undefined) {
    const current = isStrong(job.ifRange) ? etag : dateOf(headers, now);
    if (current !== undefined && current !== job.ifRange) return { outcome: { kind: 'changed' } };
  }
  if (job.size !== undefined && range.total !== undefined && range.total !== job.size) {
    return { outcome: { kind: 'changed' } };
  }
  const wrong = checkSize(job, range.total);
  if (wrong !== undefined) return wrong;
  const whole = range.start === 0 && range.end === (range.total ?? job.size);
  return {
    body: {
      info: infoOf(headers, range.total ?? job.size, now),
      start: range.start,
      end: range.end,
      whole,
      decode: undefined,
    },
  };
}

function checkSize(job: RangeJob, size: number | undefined): Answer | undefined {
  if (size === undefined) return undefined;
  if (job.size !== undefined && size !== job.size) {
    return failed('HASH_MISMATCH', `the mirror's file has ${size} bytes, its index says ${job.size}`, true);
  }
  if (size > job.maxSize) return failed('TOO_LARGE', `${size} bytes are over the limit of ${job.maxSize}`, false);
  return undefined;
}

/**
 * Some servers label .gz files with `Content-Encoding: gzip` though the coding is the file's own, others compress on
 * the fly. The first shows by name or by a length that is already right.
 */
function codingOf(job: RangeJob, headers: Headers, length: number | undefined): Body['decode'] | 'unknown' {
  const coding = one(headers, 'content-encoding')?.trim().toLowerCase();
  if (coding === undefined || coding === '' || coding === 'identity') return undefined;
  if (job.size !== undefined && length === job.size) return undefined;
  const name = job.url.replace(/[?#].*$/, '');
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      // By its name the file is gzip itself: then the coding counts only if the length says that it is another.
      return /\.t?gz$/.test(name) && (job.size === undefined || length === undefined) ? undefined : 'gzip';
    case 'deflate':
      return 'deflate';
    case 'br':
      return 'br';
    default:
      return 'unknown';
  }
}

function infoOf(headers: Headers, size: number | undefined, now: number): FileInfo {
  const lastModified = dateOf(headers, now);
  const etag = one(headers, 'etag');
  const contentType = one(headers, 'content-type');
  const header = (name: string) => one(headers, name);
  return {
    storable: isStorable(header),
    freshMs: freshnessOf(header, now),
    ...(size !== undefined && { size }),
    ...(lastModified !== undefined && { lastModified }),
    ...(etag !== undefined && /^(W\/)?"[\x21\x23-\x7e]*"$/.test(etag) && { etag }),
    ...(contentType !== undefined && /^[\x20-\x7e]{1,200}$/.test(contentType) && { contentType }),
  };
}

/** Last-Modified in the one form that is written (RFC 9110 section 5.6.7); undefined for what is no date. */
function dateOf(headers: Headers, now: number): string | undefined {
  const date = parseHttpDate(one(headers, 'last-modified'), now);
  return date === undefined ? undefined : formatHttpDate(date);
}

function contentLength(headers: Headers): number | undefined | 'bad' {
  const value = headers['content-length'];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !/^\d{1,16}$/.test(value)) return 'bad';
  return Number.isSafeInteger(Number(value)) ? Number(value) : 'bad';
}

/** Retry-After as seconds or date (RFC 9110 section 10.2.3), in milliseconds, at most a minute. */
function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,6}$/.test(value) ? Number(value) * 1000 : (parseHttpDate(value, now) ?? Number.NaN) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 60_000);
}

function isStrong(validator: string): boolean {
  return validator.startsWith('"');
}

function one(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function failed(code: ErrorCode, message: string, transient: boolean, retryAfterMs?: number): Answer {
  return {
    outcome: { kind: 'failed', code, message, transient, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  };
}
