/** Byte ranges of requests, RFC 9110 section 14: single ranges only, everything else is answered in full. */
import type { ByteRange } from '../range-set.ts';

/** One `range-spec` as the client wrote it, in bytes; numbers may exceed any file. */
export type ByteRangeSpec =
  | { readonly first: number; /** Inclusive; undefined to the end. */ readonly last: number | undefined }
  | { readonly suffix: number };

const SINGLE = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i;

/** Undefined for an absent, malformed or multiple range and for other units: those are ignored (section 14.2). */
export function parseRange(header: string | undefined): ByteRangeSpec | undefined {
  const match = SINGLE.exec(header ?? '');
  if (!match) return undefined;
  const [, firstText, lastText, suffixText] = match;
  if (suffixText !== undefined) return { suffix: Number(suffixText) };
  const first = Number(firstText);
  const last = lastText ? Number(lastText) : undefined;
  return last !== undefined && last < first ? undefined : { first, last };
}

/** @param size bytes of the whole file. `full` when there is no range to honour. */
export function evaluateRange(spec: ByteRangeSpec | undefined, size: number): ByteRange | 'unsatisfiable' | 'full' {
  if (!spec) return 'full';
  if ('suffix' in spec) {
    const start = Math.max(0, size - spec.suffix);
    return start < size ? { start, end: size } : 'unsatisfiable';
  }
  if (spec.first >= size) return 'unsatisfiable';
  return { start: spec.first, end: spec.last === undefined ? size : Math.min(spec.last + 1, size) };
}

/** Value of Content-Range for a 206. */
export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end - 1}/${size}`;
}

/** Value of Content-Range for a 416. */
export function unsatisfiedRange(size: number): string {
  return `bytes */${size}`;
}
