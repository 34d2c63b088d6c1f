/**
 * Who of those that want a file takes which piece from the mirror (docs/PROTOCOL.md, "Fetching together"): rendezvous
 * hashing, so that all who know of each other agree without a word, and one who leaves changes only its own pieces.
 */
import { hash } from 'node:crypto';
import type { Sha256 } from '../ids.ts';

/** The first 64 bits of SHA-256(SHA-256 of the file, piece as 32 bits, peer id); the peer id has 40 hexadecimal digits. */
export function weight(sha256: Sha256, piece: number, peerId: string): bigint {
  return digest(prefix(sha256, piece), peerId).readBigUInt64BE();
}

/** The peer ids by weight, highest first; of equal weights, which chance does not bring, the smaller peer id first. */
export function rank(sha256: Sha256, piece: number, peerIds: Iterable<string>): string[] {
  const head = prefix(sha256, piece);
  return Array.from(peerIds, (peerId) => ({ peerId, weight: digest(head, peerId) }))
    .toSorted((a, b) => b.weight.compare(a.weight) || (a.peerId < b.peerId ? -1 : 1))
    .map(({ peerId }) => peerId);
}

function prefix(sha256: Sha256, piece: number): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(piece);
  return Buffer.concat([Buffer.from(sha256, 'hex'), number]);
}

function digest(head: Buffer, peerId: string): Buffer {
  return hash('sha256', Buffer.concat([head, Buffer.from(peerId, 'hex')]), 'buffer').subarray(0, 8);
}
