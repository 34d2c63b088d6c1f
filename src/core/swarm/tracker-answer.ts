/** The answer of an HTTP tracker to an announcement (BEP 3, 7, 23), from a server that may say anything. */
import { readBencode, type Bencoded, type BencodedDict } from './bencode-reader.ts';
import { readCompactPeers } from './compact-peers.ts';
import type { PeerAddress } from './peer-address.ts';

/** Addresses taken from one answer; 50 are asked for. */
export const PEERS_IN_ANSWER = 200;

export type TrackerAnswer =
  | {
      readonly kind: 'peers';
      readonly intervalS: number | undefined;
      /** Not to come again sooner, whatever has happened. */
      readonly leastS?: number | undefined;
      readonly peers: readonly PeerAddress[];
    }
  /** The tracker refuses, in its own words: printable, at most 120 characters. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'malformed'; readonly reason: string };

export function parseTrackerAnswer(bytes: Buffer): TrackerAnswer {
  const answer = readBencode(bytes);
  if (!(answer instanceof Map)) return malformed('the answer is not a bencoded dictionary');
  const dict: BencodedDict = answer;
  const failure = dict.get('failure reason');
  if (failure !== undefined) return { kind: 'refused', reason: printable(Buffer.isBuffer(failure) ? failure : '') };
  const peers: PeerAddress[] = [];
  for (const [key, length] of [
    ['peers', 4],
    ['peers6', 16],
  ] as const) {
    const some = peersOf(dict.get(key), length);
    if (some === undefined) return malformed(`'${key}' is not a list of addresses`);
    peers.push(...some);
  }
  const [interval, least] = [dict.get('interval'), dict.get('min interval')].map((value) =>
    typeof value === 'number' ? value : undefined,
  );
  return {
    kind: 'peers',
    intervalS: interval ?? least,
    leastS: least,
    peers: peers.slice(0, PEERS_IN_ANSWER),
  };
}

function peersOf(value: Bencoded | undefined, addressLength: 4 | 16): readonly PeerAddress[] | undefined {
  if (value === undefined) return [];
  if (Buffer.isBuffer(value)) return readCompactPeers(value, addressLength, PEERS_IN_ANSWER);
  if (!Array.isArray(value)) return undefined;
  return value.slice(0, PEERS_IN_ANSWER).flatMap((entry) => {
    if (!(entry instanceof Map)) return [];
    const host: unknown = entry.get('ip');
    const port: unknown = entry.get('port');
    // an address is at most 45 characters; names are not resolved for strangers
    if (!Buffer.isBuffer(host) || host.length > 45 || typeof port !== 'number') return [];
    return [{ host: host.toString('latin1'), port }];
  });
}

function malformed(reason: string): TrackerAnswer {
  return { kind: 'malformed', reason };
}

/** Words of a stranger for the log. */
export function printable(text: Buffer | string): string {
  const words = (typeof text === 'string' ? text : text.toString('latin1', 0, 120)).slice(0, 120);
  return words.replaceAll(/[^\x20-\x7e]/g, '?').trim() || 'no reason given';
}
