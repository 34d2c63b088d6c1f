/**
 * Sockets to and from peers: plain ones, or TLS with the key of a private swarm. What comes in on plain ones is read
 * into one buffer for all (`onread`): by itself Node makes a new one of 64 KiB for each read, which costs more than the
 * reading, first to touch and then to collect.
 */
import { connect, createServer, Socket, type OnReadOpts, type Server, type TcpNetConnectOpts } from 'node:net';

import { listenError } from '../../../core/errors.ts';
import { formatAuthority } from '../../../core/http/authority.ts';
import type { LinkFault } from './link.ts';
import { explained, pskClient } from './tls-psk.ts';

const BACKLOG = 256;
/**
 * Node gives each address of a name up after 250 ms as long as there is another, and a peer may be farther away. Two
 * that do not answer leave time for a third within what handshakes have.
 */
const ADDRESS_MS = 3_000;
/** Small enough to stay in the processor's cache until it is copied. */
const READ_BYTES = 256 * 1024;

export interface PeerSocket {
  readonly socket: Socket;
  /** To be called once, before anything can have come. Chunks are valid until `take` returns. */
  hear(take: (chunk: Buffer) => void): void;
}

/** A socket that hands over what comes in the way that streams do. */
export function plainSocket(socket: Socket): PeerSocket {
  return {
    socket,
    hear(take) {
      socket.on('data', take);
      socket.resume();
    },
  };
}

/** Makes sockets that share one buffer: each has handed over what is in it before the next one reads. */
export class SharedReads {
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  connect(to: TcpNetConnectOpts): PeerSocket {
    const { onread, hear } = this.#reader();
    return { socket: connect({ ...to, onread }), hear };
  }

  /**
   * A socket in the place of one that a server has accepted and that has not read yet (`pauseOnConnect`): servers do not
   * take `onread`. Where Node shows no handle of it, the accepted one itself.
   */
  accepted(accepted: Socket): PeerSocket {
    const held = accepted as unknown as { _handle: object | null };
    const handle = held._handle;
    if (handle === null || typeof handle !== 'object') return plainSocket(accepted);
    const { onread, hear } = this.#reader();
    // What belongs to one socket at a time: the old one must not close it.
    held._handle = null;
    const options = { handle, onread, readable: true, writable: true };
    const socket = new Socket(options);
    // The server counts the old one until it is closed.
    socket.once('close', () => accepted.destroy());
    return { socket, hear };
  }

  #reader(): { onread: OnReadOpts; hear: PeerSocket['hear'] } {
    const buffer = this.#buffer;
    let heard: ((chunk: Buffer) => void) | undefined;
    const callback = (count: number) => {
      heard?.(buffer.subarray(0, count));
      return true;
    };
    return {
      onread: { buffer, callback },
      hear(take) {
        heard = take;
      },
    };
  }
}

export interface Acceptor {
  /** Accepted sockets do not read before they are told to. */
  readonly paused: boolean;
  accepted(socket: Socket): void;
  failed(error: Error): void;
}

/**
 * `::` takes IPv4 too; where the machine has no IPv6 it means all of IPv4.
 * @throws DebtorrentError PORT_TAKEN; LISTEN_FAILED for an address that is none of this machine, which it may yet become
 */
export async function listenOn(host: string, port: number, on: Acceptor): Promise<Server> {
  try {
    return await start(host, port, on);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) return listenOn('0.0.0.0', port, on);
    throw listenError(error, `cannot listen for peers on ${formatAuthority(host, port)}`);
  }
}

async function start(host: string, port: number, on: Acceptor): Promise<Server> {
  const server = createServer({ noDelay: true, pauseOnConnect: on.paused }, on.accepted);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', on.failed);
  return server;
}

/** Calls back once: with a socket that is ready for this protocol, or with why there is none. */
export function openSocket(
  to: { readonly host: string; readonly port: number; readonly psk: Buffer | undefined; readonly reads: SharedReads },
  opened: (socket: PeerSocket) => void,
  failed: (fault: LinkFault) => void,
): Socket {
  const { psk, reads } = to;
  const target = { host: to.host, port: to.port, autoSelectFamilyAttemptTimeout: ADDRESS_MS };
  let settled = false;
  const settle = (then: () => void) => {
    if (!settled) then();
    settled = true;
  };
  const made = psk === undefined ? reads.connect(target) : plainSocket(pskClient(psk, target));
  const { socket } = made;
  socket.setNoDelay(true);
  const fail = (error: NodeJS.ErrnoException) => settle(() => failed(explained(error)));
  socket.on('error', fail);
  socket.on('close', () => settle(() => failed({ kind: 'closed', message: 'the connection is closed' })));
  socket.once(psk === undefined ? 'connect' : 'secureConnect', () => settle(() => opened(made)));
  return socket;
}
