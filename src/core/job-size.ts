/**
 * How large a range one request to a mirror asks for. Large enough that the round trip between two requests costs
 * little, small enough that several connections end together and other files are not kept waiting.
 */
const MIB = 1024 * 1024;
export const MIN_JOB_BYTES = MIB;
export const MAX_JOB_BYTES = 32 * MIB;
/** Files up to this size are written in one piece, and made by whoever writes them. */
export const SMALL_FILE_BYTES = 256 * 1024;
export const FIRST_JOB_BYTES = 4 * MIB;
/** Files up to this size are one request: splitting them gains less than the extra round trip costs. */
export const WHOLE_FILE_BYTES = 4 * MIB;

/** Size of a file's first ranges: what each connection brings in two seconds, if all bring `rate` bytes a millisecond. */
export function firstJobBytes(rate: number | undefined, connections: number): number {
  if (rate === undefined) return FIRST_JOB_BYTES;
  return Math.max(MIN_JOB_BYTES, Math.min(Math.floor((rate * 2000) / connections), FIRST_JOB_BYTES));
}

/** Size of the next range after one of `bytes` took `tookMs`: aims at half a second to two seconds a request. */
export function nextJobBytes(current: number, bytes: number, tookMs: number): number {
  if (bytes < current / 2) return current;
  if (tookMs < 500) return Math.min(current * 2, MAX_JOB_BYTES);
  if (tookMs > 2000) return Math.max(Math.floor(current / 2), MIN_JOB_BYTES);
  return current;
}

/** Shrinks a range near the end of a file so that `connections` of them finish at about the same time. */
export function jobBytesFor(remaining: number, jobBytes: number, connections: number): number {
  const share = Math.ceil(remaining / Math.max(connections, 1));
  return Math.max(Math.min(jobBytes, share), Math.min(MIN_JOB_BYTES, remaining));
}
