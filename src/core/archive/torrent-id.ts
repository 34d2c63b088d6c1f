/**
 * The stable identity of a torrent: one index of one archive, across all its updates.
 *
 * message = field(TAG) field(origin) field(release) field(component) field(architecture)
 * field(s) = length of s in bytes of UTF-8 as a 32-bit big-endian number, then those bytes
 * release = Codename of the Release, or Suite where it has no Codename
 * architecture = `source` for Sources; component is empty in flat archives
 *
 * id = the first 20 bytes of SHA-256(message), or with a swarm key of HMAC-SHA-256(swarm key, message): peers that do
 * not hold the key cannot even name the torrent.
 */
import { createHash, createHmac } from 'node:crypto';
import type { InfoHash } from '../ids.ts';

const TAG = 'debtorrent index torrent 1';

export interface TorrentSubject {
  readonly origin: string;
  readonly codename: string;
  readonly suite: string;
  readonly component: string;
  readonly architecture: string;
}

export function torrentId(subject: TorrentSubject, swarmKey?: Uint8Array): InfoHash {
  const { origin, component, architecture } = subject;
  const fields = [TAG, origin, subject.codename || subject.suite, component, architecture];
  const digest = swarmKey ? createHmac('sha256', swarmKey) : createHash('sha256');
  for (const text of fields) {
    const bytes = Buffer.from(text, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    digest.update(length).update(bytes);
  }
  return digest.digest().toString('hex', 0, 20) as InfoHash;
}

/** For people: `Debian bookworm main amd64`. Not unique and never parsed. */
export function torrentName(subject: TorrentSubject): string {
  const { origin, codename, suite, component, architecture } = subject;
  return [origin, codename || suite, component, architecture].filter((s) => s !== '').join(' ') || 'unnamed archive';
}
