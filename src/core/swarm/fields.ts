/**
 * Values of the dictionaries that peers send, checked: a value comes back as asked for, or PEER_PROTOCOL is thrown with
 * the key that is wrong.
 */
import { DebtorrentError } from '../errors.ts';
import { field } from './bencode.ts';

/** A whole number from `least` to `most`. */
export function numberIn(dictionary: unknown, key: string, least: number, most: number): number {
  return checkedNumber(field(dictionary, key), key, least, most);
}

export function checkedNumber(value: unknown, key: string, least: number, most: number): number {
  if (typeof value !== 'number') throw malformed(`${key} is no number`);
  if (!(Number.isSafeInteger(value) && value >= least && value <= most)) throw malformed(`${key} is out of range`);
  return value;
}

/** A list of 1 to `most` values. */
export function listIn(dictionary: unknown, key: string, most: number): unknown[] {
  const value = field(dictionary, key);
  if (!Array.isArray(value)) throw malformed(`${key} is no list`);
  if (value.length === 0 || value.length > most) throw malformed(`${key} has ${value.length} entries`);
  return value;
}

/** A string of `least` to `most` bytes, whose length is a multiple of `unit`. */
export function bytesIn(dictionary: unknown, key: string, least: number, most: number, unit = 1): Uint8Array {
  const value = field(dictionary, key);
  if (!(value instanceof Uint8Array)) throw malformed(`${key} is no string`);
  if (value.length < least || value.length > most || value.length % unit !== 0) {
    throw malformed(`${key} has ${value.length} bytes`);
  }
  return value;
}

export function malformed(what: string): DebtorrentError {
  return new DebtorrentError('PEER_PROTOCOL', `malformed message: ${what}`);
}
