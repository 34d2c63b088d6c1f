/**
 * One announcement to a UDP tracker (BEP 15), over IPv4 or IPv6. Not by way of bittorrent-tracker's client: that one
 * takes datagrams from anybody, knows IPv4 only, and lets the tracker set a timer of one millisecond.
 */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import {
  announceRequest,
  connectRequest,
  parseUdpTrackerMessage,
  type Announcement,
} from '../../core/swarm/udp-tracker-messages.ts';
import type { AnnounceResult } from './http-announce.ts';

/** A request that stays without an answer is sent again after these times, in milliseconds, then given up. */
const RESEND_MS = [2_000, 3_000, 5_000];

/** opentracker says nothing about torrents that are not on its list. */
const SILENCE = { kind: 'refused', reason: 'no answer for this torrent' } as const;

/** @throws Error with one line that says what the tracker did; when `signal` fires, its reason. */
export async function announceUdp(url: URL, what: Announcement, signal: AbortSignal): Promise<AnnounceResult> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses = await lookup(host, { all: true });
  signal.throwIfAborted();
  // a name such as localhost has an address of each family, and the tracker listens on one of them
  let failure: unknown = new Error('the name has no address');
  for (const { address, family } of [4, 6].flatMap((wanted) => addresses.find((one) => one.family === wanted) ?? [])) {
    try {
      return await announceTo(address, family === 6 ? 16 : 4, Number(url.port), what, signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}

function announceTo(
  address: string,
  addressLength: 4 | 16,
  port: number,
  what: Announcement,
  signal: AbortSignal,
): Promise<AnnounceResult> {
  const socket = createSocket(addressLength === 16 ? 'udp6' : 'udp4');
  return new Promise<AnnounceResult>((resolve, reject) => {
    let transaction = randomInt(2 ** 32);
    let request = connectRequest(transaction);
    let connected = false;
    let timer: NodeJS.Timeout | undefined;
    const abort = () => finish(() => reject(signal.reason as Error));
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      closeQuietly(socket);
      settle();
    };
    const send = (attempt: number) => {
      socket.send(request);
      timer = setTimeout(() => {
        if (attempt + 1 < RESEND_MS.length) send(attempt + 1);
        else if (connected) finish(() => resolve({ answer: SILENCE, tracker: address }));
        else finish(() => reject(new Error('it does not answer')));
      }, RESEND_MS[attempt]);
    };
    signal.addEventListener('abort', abort);
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('message', (datagram) => {
      const message = parseUdpTrackerMessage(datagram, transaction, addressLength);
      if (message?.kind === 'answer') finish(() => resolve({ answer: message.answer, tracker: address }));
      if (message?.kind !== 'connected' || connected) return;
      connected = true;
      transaction = randomInt(2 ** 32);
      request = announceRequest(message.connection, transaction, what);
      clearTimeout(timer);
      send(0);
    });
    // connected: the system then drops what others send, and says when nobody listens
    socket.connect(port, address, () => send(0));
  });
}

function closeQuietly(socket: Socket): void {
  socket.removeAllListeners().on('error', () => undefined);
  try {
    socket.close();
  } catch {
    // closed already
  }
}
