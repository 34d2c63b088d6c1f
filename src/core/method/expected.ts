/** What APT says of a file when it asks for it, and what it wants to be told of what was written. */
import { parseSha256, type Sha256 } from '../ids.ts';
import { field, type AptMessage } from './apt-message.ts';

/** Names that APT uses in fields, with those of node:crypto. Strong ones first, in the order of preference. */
const ALGORITHMS = [
  ['SHA512', 'sha512', 128],
  ['SHA256', 'sha256', 64],
  ['SHA1', 'sha1', 40],
  ['MD5Sum', 'md5', 32],
] as const;

export type HashName = (typeof ALGORITHMS)[number][0];

export interface Expected {
  /** Lower-case hexadecimal digits. */
  readonly hashes: ReadonlyMap<HashName, string>;
  readonly sha256: Sha256 | undefined;
  /** Bytes; undefined when not known. */
  readonly size: number | undefined;
  /** Bytes; more are not accepted. Infinity when there is no limit. */
  readonly maxSize: number;
}

/** Reads the fields of `600 URI Acquire`. What is malformed counts as not there: APT checks all of it itself. */
export function expectedOf(message: AptMessage): Expected {
  const hashes = new Map<HashName, string>();
  for (const [name, , digits] of ALGORITHMS) {
    const value = field(message, `expected-${name.toLowerCase()}`)?.toLowerCase();
    if (value?.length === digits && /^[0-9a-f]+$/.test(value)) hashes.set(name, value);
  }
  const size = bytes(field(message, 'expected-checksum-filesize'));
  const maxSize = size ?? bytes(field(message, 'maximum-size')) ?? Number.POSITIVE_INFINITY;
  return { hashes, sha256: parseSha256(hashes.get('SHA256') ?? ''), size, maxSize };
}

/**
 * Which hashes to compute. APT compares those that both sides have and asks for one that is strong, so one is enough:
 * each further one costs as much processor time again. `forced` is Acquire::ForceHash, which makes APT accept one only.
 */
export function hashesToCompute(expected: Expected, forced: string | undefined): readonly HashName[] {
  const named = ALGORITHMS.find(([name]) => name.toLowerCase() === forced?.toLowerCase());
  if (named !== undefined) return [named[0]];
  const [strongest = 'SHA256'] = expected.hashes.keys();
  return strongest === 'SHA512' || strongest === 'SHA256' ? [strongest] : ['SHA256', strongest];
}

/** The name that node:crypto has for it. */
export function digestName(hash: HashName): string {
  return ALGORITHMS.find(([name]) => name === hash)?.[1] ?? hash;
}

function bytes(text: string | undefined): number | undefined {
  const value = /^\d{1,15}$/.test(text ?? '') ? Number(text) : 0;
  // 0 is what APT writes when it does not know
  return value > 0 ? value : undefined;
}
