/**
 * Paths that signed metadata names. They become URLs and keys of look-ups, so only plain relative ones are let in;
 * a signature says who wrote them, not that they are harmless.
 */

/** Bytes; Linux's PATH_MAX. */
export const MAX_PATH_BYTES = 4096;

const SLASH = 0x2f;
const DOT = 0x2e;
const BACKSLASH = 0x5c;

/**
 * Normalises `buffer[start, end)` in place: drops empty and `.` segments. Returns the new end, or -1 for a path that
 * is empty, absolute, too long, ends in a slash, has a `..` segment, a control character or a backslash.
 */
export function normalisePath(buffer: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > MAX_PATH_BYTES || buffer[start] === SLASH || buffer[end - 1] === SLASH) return -1;
  let out = start;
  let segment = start;
  for (let at = start; at <= end; at++) {
    const byte = at === end ? SLASH : (buffer[at] as number);
    if (byte < 0x20 || byte === 0x7f || byte === BACKSLASH) return -1;
    if (byte !== SLASH) continue;
    const length = at - segment;
    const dot = buffer[segment] === DOT;
    if (length === 2 && dot && buffer[segment + 1] === DOT) return -1;
    if (length > 1 || (length === 1 && !dot)) {
      if (out > start) buffer[out++] = SLASH;
      if (out !== segment) buffer.copyWithin(out, segment, at);
      out += length;
    }
    segment = at + 1;
  }
  return out > start ? out : -1;
}

/** The same for a string; undefined for a path that is refused. */
export function cleanPath(path: string): string | undefined {
  const bytes = Buffer.from(path, 'utf8');
  const end = normalisePath(bytes, 0, bytes.length);
  return end < 0 ? undefined : bytes.toString('utf8', 0, end);
}
