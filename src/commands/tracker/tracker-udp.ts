/**
 * The tracker's UDP side (BEP 15). The library gives every client the same connection id; here it is made of the
 * client's address, so that nobody can announce in another's name or have answers sent to him.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { BoundedServer } from './bounded-server.ts';

const PROTOCOL_ID = Buffer.from('0000041727101980', 'hex');
const CONNECT = 0;
const ANNOUNCE = 1;
const SCRAPE = 2;
const ANNOUNCE_LENGTH = 98;
/** BEP 15: about 74 torrents in one scrape. */
const MAX_SCRAPE = 16 + 74 * 20;
/** A connection id is good for this time, and up to twice as long. */
const WINDOW_MS = 60_000;

/** Binds a socket and serves on it. @throws when the address is taken. */
export async function openTrackerUdp(
  tracker: BoundedServer,
  family: 4 | 6,
  host: string,
  port: number,
  now: () => number,
): Promise<Socket> {
  const socket = createSocket(family === 4 ? { type: 'udp4' } : { type: 'udp6', ipv6Only: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, () => {
      socket.off('error', reject);
      resolve();
    });
  }).catch((error: unknown) => {
    socket.close();
    throw error;
  });
  const connections = new Connections(now);
  // a send that fails is a client that does not get its answer
  socket.on('error', () => undefined);
  socket.on('message', (datagram, from) => received(tracker, socket, connections, datagram, from));
  if (family === 4) tracker.udp4 = socket;
  else tracker.udp6 = socket;
  return socket;
}

function received(
  tracker: BoundedServer,
  socket: Socket,
  connections: Connections,
  datagram: Buffer,
  from: RemoteInfo,
): void {
  if (datagram.length < 16 || from.port === 0) return;
  const action = datagram.readUInt32BE(8);
  if (action === CONNECT) {
    if (!datagram.subarray(0, 8).equals(PROTOCOL_ID)) return;
    const reply = Buffer.alloc(16);
    datagram.copy(reply, 4, 12, 16);
    connections.current(from).copy(reply, 8);
    socket.send(reply, from.port, from.address, () => undefined);
    return;
  }
  if (!connections.knows(datagram.subarray(0, 8), from)) return;
  const announce = action === ANNOUNCE && datagram.length >= ANNOUNCE_LENGTH;
  const hashes = datagram.length - 16;
  const scrape = action === SCRAPE && hashes > 0 && hashes % 20 === 0 && datagram.length <= MAX_SCRAPE;
  if (!announce && !scrape) return;
  const clean = Buffer.from(announce ? datagram.subarray(0, ANNOUNCE_LENGTH) : datagram);
  PROTOCOL_ID.copy(clean);
  // the address is the one that it came from, whatever it says
  if (announce) clean.fill(0, 84, 88);
  tracker.onUdpRequest(clean, from);
}

class Connections {
  readonly #secret = randomBytes(32);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  current(from: RemoteInfo): Buffer {
    return this.#id(from, this.#window());
  }

  knows(id: Buffer, from: RemoteInfo): boolean {
    const window = this.#window();
    return [window, window - 1].some((one) => timingSafeEqual(id, this.#id(from, one)));
  }

  #window(): number {
    return Math.floor(this.#now() / WINDOW_MS);
  }

  #id({ address, port }: RemoteInfo, window: number): Buffer {
    return createHmac('sha256', this.#secret).update(`${address} ${port} ${window}`).digest().subarray(0, 8);
  }
}
