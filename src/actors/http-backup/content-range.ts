/** Content-Range of a 206 (RFC 9110 section 14.4), strictly: `bytes FIRST-LAST/TOTAL`, TOTAL may be `*`. */
export interface ContentRange {
  readonly start: number;
  /** First byte not included. */
  readonly end: number;
  readonly total: number | undefined;
}

const PATTERN = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i;

/** Undefined for anything that does not name a non-empty range inside its total. */
export function parseContentRange(value: string): ContentRange | undefined {
  const match = PATTERN.exec(value.trim());
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]) + 1;
  const total = match[3] === '*' ? undefined : Number(match[3]);
  if (!Number.isSafeInteger(end) || start >= end) return undefined;
  if (total !== undefined && (!Number.isSafeInteger(total) || end > total)) return undefined;
  return { start, end, total };
}
