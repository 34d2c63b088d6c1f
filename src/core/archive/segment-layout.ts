/**
 * The binary form of a segment: an immutable table path -> {sha256, size}, read where it lies, without an object per
 * entry. Numbers are in the byte order of the machine; a file from a machine of the other order is refused.
 *
 *   0  8 bytes  magic, with the version of the format
 *   8  u32      0x01020304
 *  12  u32      CRC-32 of everything from byte 16 on
 *  16  u32      entries
 *  20  u32      slots of the path table, a power of two, more than entries
 *  24  u32      slots of the hash table, the same
 *  28  u32      bytes of names
 *  32  f64      sum of the sizes
 *  40  24 zero bytes
 *  64  f64[entries]   sizes in bytes
 *      u8[32*entries] SHA-256
 *      u32[entries]   where each name ends; it begins where the one before ended
 *      u32[slots]     path table: entry + 1, or 0 for a free slot; linear probing from hashPath
 *      u32[slots]     hash table: the same from the first four bytes of the SHA-256; only the first entry of a hash
 *      u8[names]      the names, bytes as in the index (UTF-8)
 *      zero bytes up to a multiple of 8
 */
export const MAGIC = Buffer.from('DTSEG\x001\n', 'latin1');
export const HEADER_BYTES = 64;
/** The checksum is of everything from here on. */
export const CHECKED_FROM = 16;
export const ORDER_MARK = 0x01020304;
/** A look-up or insertion that meets more taken slots gives up: a bound on what colliding names can cost. */
export const MAX_PROBES = 256;
export const MAX_ENTRIES = 5_000_000;
/** All names of a segment together. */
export const MAX_NAMES_BYTES = 512 * 1024 * 1024;

export interface SegmentLayout {
  readonly sizes: number;
  readonly shas: number;
  readonly nameEnds: number;
  readonly pathTable: number;
  readonly shaTable: number;
  readonly names: number;
  /** Length of the whole file. */
  readonly total: number;
}

/** Where each section begins. */
export function layoutOf(entries: number, pathSlots: number, shaSlots: number, nameBytes: number): SegmentLayout {
  const sizes = HEADER_BYTES;
  const shas = sizes + entries * 8;
  const nameEnds = shas + entries * 32;
  const pathTable = nameEnds + entries * 4;
  const shaTable = pathTable + pathSlots * 4;
  const names = shaTable + shaSlots * 4;
  return { sizes, shas, nameEnds, pathTable, shaTable, names, total: (names + nameBytes + 7) & ~7 };
}

/** FNV-1a over the bytes, mixed at the end because its low bits alone spread badly over a table. */
export function hashPath(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return finish(hash);
}

/** The same for a string of ASCII; -1 for any other string, which has to be encoded first. */
export function hashAscii(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return -1;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return finish(hash);
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** The first four bytes of a SHA-256 as a number, big-endian. */
export function hashSha(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [number, number, number, number];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** Slots for that many entries: at most 2/3 full. */
export function slotsFor(entries: number): number {
  let slots = 8;
  while (slots * 2 < entries * 3) slots *= 2;
  return slots;
}
