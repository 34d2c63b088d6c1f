/**
 * Which torrents both ends of a link have, without telling either what it does not know (docs/PROTOCOL.md,
 * "Connections"): each lists hashes of its torrents' ids and of the link's peer ids.
 */
import { hash } from 'node:crypto';
import type { InfoHash } from '../ids.ts';
import { BLIND_ID_BYTES, MAX_TORRENTS } from './limits.ts';

const TAG = Buffer.from('debtorrent common torrent 1');

/** The two peer ids of a link, 40 hexadecimal digits each. */
export interface LinkEnds {
  readonly dialler: string;
  readonly listener: string;
}

/** 8 bytes. */
export function blindId({ dialler, listener }: LinkEnds, torrent: InfoHash): Buffer {
  const ids = Buffer.from(dialler + listener + torrent, 'hex');
  return hash('sha256', Buffer.concat([TAG, ids]), 'buffer').subarray(0, BLIND_ID_BYTES);
}

/** The torrents that a peer lists, and may dial with: those with the smallest ids when there are too many. Ascending. */
export function listedTorrents(own: Iterable<InfoHash>): InfoHash[] {
  return [...new Set(own)].toSorted().slice(0, MAX_TORRENTS);
}

/** The list that a peer sends; ascending, so that the order says nothing. */
export function blindedList(ends: LinkEnds, own: Iterable<InfoHash>): Buffer {
  const ids = listedTorrents(own).map((torrent) => blindId(ends, torrent));
  return Buffer.concat(ids.toSorted((a, b) => a.compare(b)));
}

/** The ids in the list that a peer sends, as hexadecimal digits. */
export function listedIds(theirs: Uint8Array): Set<string> {
  const listed = new Set<string>();
  const bytes = Buffer.from(theirs.buffer, theirs.byteOffset, theirs.byteLength);
  for (let at = 0; at + BLIND_ID_BYTES <= bytes.length; at += BLIND_ID_BYTES) {
    listed.add(bytes.toString('hex', at, at + BLIND_ID_BYTES));
  }
  return listed;
}
