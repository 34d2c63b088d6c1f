/** Sockets to and from peers: plain ones, or TLS with the key of a private swarm. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

import { DebtorrentError } from '../../../core/errors.ts';
import { formatAuthority } from '../../../core/http/authority.ts';
import type { LinkFault } from './link.ts';
import { explained, pskClient } from './tls-psk.ts';

const BACKLOG = 256;

/**
 * `::` takes IPv4 too; where the machine has no IPv6 it means all of IPv4.
 * @throws DebtorrentError PORT_TAKEN; PEER_LISTEN when the address is none of this machine
 */
export async function listenOn(
  host: string,
  port: number,
  on: { accepted(socket: Socket): void; failed(error: Error): void },
): Promise<Server> {
  try {
    return await start(host, port, on);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) return listenOn('0.0.0.0', port, on);
    const what = formatAuthority(host, port);
    throw new DebtorrentError(
      code === 'EADDRINUSE' ? 'PORT_TAKEN' : 'CONFIG_INVALID',
      `cannot listen for peers on ${what}: ${code === 'EADDRINUSE' ? 'it is in use' : (error as Error).message}`,
      { cause: error },
    );
  }
}

async function start(
  host: string,
  port: number,
  on: { accepted(socket: Socket): void; failed(error: Error): void },
): Promise<Server> {
  const server = createServer({ noDelay: true }, on.accepted);
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
  to: { readonly host: string; readonly port: number; readonly psk: Buffer | undefined },
  opened: (socket: Socket) => void,
  failed: (fault: LinkFault) => void,
): Socket {
  const { host, port, psk } = to;
  let settled = false;
  const settle = (then: () => void) => {
    if (!settled) then();
    settled = true;
  };
  const socket: Socket | TLSSocket = psk === undefined ? connect({ host, port }) : pskClient(psk, { host, port });
  socket.setNoDelay(true);
  const fail = (error: NodeJS.ErrnoException) => settle(() => failed(explained(error)));
  socket.on('error', fail);
  socket.on('close', () => settle(() => failed({ kind: 'closed', message: 'the connection is closed' })));
  socket.once(psk === undefined ? 'connect' : 'secureConnect', () => settle(() => opened(socket)));
  return socket;
}
