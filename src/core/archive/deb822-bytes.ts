/** Fields and values of deb822 (Debian policy 5.1), read from bytes where they lie. */

/** Bytes; no file of an archive is larger. */
export const MAX_FILE_BYTES = 64 * 1024 ** 3;

const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;

/** Length of the field name that `bytes[start, end)` begins with, before its colon; 0 if there is none. */
export function fieldLength(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === COLON) return at - start;
    if (byte < 0x21 || byte > 0x7e) return 0;
  }
  return 0;
}

/** Whether the name is `lower`, which is in lower case; names are case-insensitive. */
export function nameMatches(bytes: Uint8Array, start: number, length: number, lower: Uint8Array): boolean {
  if (length !== lower.length) return false;
  for (let at = 0; at < length; at++) {
    const byte = bytes[start + at] as number;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== lower[at]) return false;
  }
  return true;
}

export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return Math.min(at, end);
}

export function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--;
  return at;
}

/** End of the word that begins at start. */
export function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SPACE && bytes[at] !== TAB) at++;
  return at;
}

/** Decimal digits alone, 0 to MAX_FILE_BYTES; -1 for anything else. */
export function parseSize(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > 16) return -1;
  let size = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    size = size * 10 + digit;
  }
  return size <= MAX_FILE_BYTES ? size : -1;
}

/** Values of hexadecimal digits; -1 for other bytes. */
const NIBBLES = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = String.fromCharCode(byte);
  return /[0-9A-Fa-f]/.test(digit) ? Number.parseInt(digit, 16) : -1;
});

/** Writes the 32 bytes that exactly 64 hexadecimal digits of either case stand for; false for anything else. */
export function parseHex32(bytes: Uint8Array, start: number, end: number, out: Uint8Array, outAt: number): boolean {
  if (end - start !== 64) return false;
  // negative as soon as one of the digits is none
  let valid = 0;
  for (let at = 0, from = start; at < 32; at++, from += 2) {
    const high = NIBBLES[bytes[from] as number] as number;
    const low = NIBBLES[bytes[from + 1] as number] as number;
    valid |= high | low;
    out[outAt + at] = (high << 4) | low;
  }
  return valid >= 0;
}
