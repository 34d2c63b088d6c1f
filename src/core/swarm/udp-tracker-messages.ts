/** The datagrams of UDP trackers (BEP 15). */
import { readCompactPeers } from './compact-peers.ts';
import { printable, PEERS_IN_ANSWER, type TrackerAnswer } from './tracker-answer.ts';

export const ANNOUNCE_EVENTS = { none: 0, started: 2, stopped: 3 } as const;
export type AnnounceEvent = keyof typeof ANNOUNCE_EVENTS;

export interface Announcement {
  /** 40 hexadecimal digits. */
  readonly infoHash: string;
  /** 40 hexadecimal digits. */
  readonly peerId: string;
  readonly port: number;
  readonly event: AnnounceEvent;
  /** Tells the tracker that it is the same client, though its address may have changed; 32 bits. */
  readonly key: number;
  /** Addresses asked for. */
  readonly wanted: number;
}

const PROTOCOL_ID = Buffer.from('0000041727101980', 'hex');
const CONNECT = 0;
const ANNOUNCE = 1;
const ERROR = 3;

export function connectRequest(transaction: number): Buffer {
  const request = Buffer.alloc(16);
  PROTOCOL_ID.copy(request);
  request.writeUInt32BE(CONNECT, 8);
  request.writeUInt32BE(transaction, 12);
  return request;
}

/** @param connection 8 bytes, from the answer to a connect request less than a minute ago. */
export function announceRequest(connection: Buffer, transaction: number, what: Announcement): Buffer {
  const request = Buffer.alloc(98);
  connection.copy(request, 0, 0, 8);
  request.writeUInt32BE(ANNOUNCE, 8);
  request.writeUInt32BE(transaction, 12);
  request.write(what.infoHash, 16, 20, 'hex');
  request.write(what.peerId, 36, 20, 'hex');
  // nothing is said about how much is there: one byte is always left
  request.writeUInt32BE(1, 68);
  request.writeUInt32BE(ANNOUNCE_EVENTS[what.event], 80);
  request.writeUInt32BE(what.key, 88);
  request.writeInt32BE(what.wanted, 92);
  request.writeUInt16BE(what.port, 96);
  return request;
}

export type UdpTrackerMessage =
  | { readonly kind: 'connected'; readonly connection: Buffer }
  | { readonly kind: 'answer'; readonly answer: TrackerAnswer };

/**
 * Undefined for datagrams that are not the answer to this transaction: anybody can send those.
 *
 * @param addressLength 16 when the tracker is asked over IPv6.
 */
export function parseUdpTrackerMessage(
  datagram: Buffer,
  transaction: number,
  addressLength: 4 | 16,
): UdpTrackerMessage | undefined {
  if (datagram.length < 8 || datagram.readUInt32BE(4) !== transaction) return undefined;
  switch (datagram.readUInt32BE(0)) {
    case CONNECT:
      return datagram.length < 16 ? undefined : { kind: 'connected', connection: datagram.subarray(8, 16) };
    case ANNOUNCE: {
      const peers = datagram.length < 20 ? undefined : readPeers(datagram, addressLength);
      if (peers === undefined) {
        return { kind: 'answer', answer: { kind: 'malformed', reason: 'the answer has an odd length' } };
      }
      return { kind: 'answer', answer: { kind: 'peers', intervalS: datagram.readUInt32BE(8), peers } };
    }
    case ERROR:
      return { kind: 'answer', answer: { kind: 'refused', reason: printable(datagram.subarray(8)) } };
    default:
      return undefined;
  }
}

function readPeers(datagram: Buffer, addressLength: 4 | 16) {
  return readCompactPeers(datagram.subarray(20), addressLength, PEERS_IN_ANSWER);
}
