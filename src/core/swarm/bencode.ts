/**
 * Bencode from strangers. The library alone must not see it: five bytes, `l-3:e`, send bencode 4.0.1 (and 2.0.3, in
 * k-rpc-socket) round and round until memory is gone; nesting overflows its stack; strings may run past the end,
 * `i1.5e`, `ie` and bytes after the value are taken, a key `__proto__` sets the prototype. What `checkBencode` lets
 * through is canonical (BEP 3: keys sorted, none twice, no leading zeros, no -0), bounded and whole, and safe to decode.
 */
import bencode from 'bencode';
import { DebtorrentError } from '../errors.ts';

export interface BencodeLimits {
  /** Lists and dictionaries within each other. */
  readonly depth: number;
  /** Values, keys among them. */
  readonly items: number;
}

/** Enough for all messages of this protocol, the extended handshake and peer exchange. */
export const BENCODE_LIMITS: BencodeLimits = { depth: 5, items: 4096 };

/** Keys of known dictionaries are shorter. */
const MAX_KEY_BYTES = 64;
/** Of a number, sign aside: 2^53 - 1 has as many. */
const MAX_DIGITS = 16;

const [MINUS, ZERO, NINE, COLON] = [0x2d, 0x30, 0x39, 0x3a];
const [DICTIONARY, END, INTEGER, LIST] = [0x64, 0x65, 0x69, 0x6c];

/** @throws DebtorrentError PEER_PROTOCOL unless the bytes are one canonical value within the limits, and nothing else. */
export function checkBencode(bytes: Uint8Array, limits: BencodeLimits = BENCODE_LIMITS): void {
  /** For each open dictionary its last key, or undefined before the first; null for a list. */
  const open: (Uint8Array | undefined | null)[] = [];
  let position = 0;
  let items = 0;
  do {
    const byte = bytes[position];
    const level = open.length - 1;
    const lastKey = open[level];
    if (byte === END && level >= 0) {
      open.pop();
      position++;
      continue;
    }
    if (++items > limits.items) throw malformed('too many items');
    if (level >= 0 && lastKey !== null) {
      const { start, end } = stringAt(bytes, position);
      const key = bytes.subarray(start, end);
      if (key.length > MAX_KEY_BYTES) throw malformed('a key is too long');
      if (lastKey !== undefined && Buffer.compare(lastKey, key) >= 0) throw malformed('keys are not in order');
      // The library would set the prototype of the object that it makes.
      if (Buffer.from(key).toString('latin1') === '__proto__') throw malformed('a key that no dictionary has');
      open[level] = key;
      position = end;
      if (++items > limits.items) throw malformed('too many items');
    }
    const value = bytes[position];
    if (value === INTEGER) position = integerEnd(bytes, position);
    else if (value !== LIST && value !== DICTIONARY) position = stringAt(bytes, position).end;
    else if (open.length >= limits.depth) throw malformed('lists or dictionaries are too deep');
    else {
      open.push(value === LIST ? null : undefined);
      position++;
    }
  } while (open.length > 0);
  if (position !== bytes.length) throw malformed('bytes follow the value');
}

/**
 * Numbers come as numbers, strings as copied bytes, lists as arrays, dictionaries as objects of which only own
 * properties count (`field`).
 * @throws DebtorrentError PEER_PROTOCOL as checkBencode
 */
export function decodeBencode(bytes: Uint8Array, limits: BencodeLimits = BENCODE_LIMITS): unknown {
  checkBencode(bytes, limits);
  return bencode.decode(bytes);
}

export function encodeBencode(value: unknown): Uint8Array {
  return bencode.encode(value);
}

/** The value of a key of a decoded dictionary; undefined where there is none, or no dictionary. */
export function field(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    return undefined;
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function stringAt(bytes: Uint8Array, position: number): { start: number; end: number } {
  const { value: length, end } = digitsAt(bytes, position);
  if (bytes[end] !== COLON) throw malformed('a string has no length');
  const start = end + 1;
  if (length > bytes.length - start) throw malformed('a string is longer than the message');
  return { start, end: start + length };
}

function integerEnd(bytes: Uint8Array, position: number): number {
  const negative = bytes[position + 1] === MINUS;
  const { value, end } = digitsAt(bytes, position + (negative ? 2 : 1));
  if (negative && value === 0) throw malformed('a negative zero');
  if (bytes[end] !== END) throw malformed('a number has no end');
  return end + 1;
}

function digitsAt(bytes: Uint8Array, position: number): { value: number; end: number } {
  let value = 0;
  let end = position;
  for (; ; end++) {
    const byte = bytes[end];
    if (byte === undefined || byte < ZERO || byte > NINE) break;
    if (end - position >= MAX_DIGITS) throw malformed('a number is too long');
    value = value * 10 + (byte - ZERO); // exact up to 2^53
  }
  if (end === position) throw malformed('a number is missing');
  if (bytes[position] === ZERO && end - position > 1) throw malformed('a number starts with zero');
  if (!Number.isSafeInteger(value)) throw malformed('a number is too large');
  return { value, end };
}

function malformed(what: string): DebtorrentError {
  return new DebtorrentError('PEER_PROTOCOL', `malformed bencode: ${what}`);
}
