/** The sockets that the gateway listens on: TCP, and a Unix socket if one is configured. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { chmod, lstat, stat, unlink } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';

import { DebtorrentError, listenError } from '../core/errors.ts';
import { formatAuthority } from '../core/http/authority.ts';
import { sendError } from './answer.ts';
import { endIn, endWith, LINGER_MS } from './last-answer.ts';

export interface ListenersDeps {
  request(req: IncomingMessage, res: ServerResponse): void;
  connect(req: IncomingMessage, socket: Duplex, early: Buffer): void;
  /** What came was no request to work on, and has been answered so. */
  refused(error: DebtorrentError): void;
}

export interface Listeners {
  /** `ADDR:PORT` that TCP listens on. */
  readonly address: string;
  readonly port: number;
  /** Resolves when a listening socket fails; never otherwise. */
  readonly failed: Promise<Error>;
  /** Takes no more connections and closes those that are idle. */
  stopAccepting(): void;
  /** Closes all connections. */
  close(): Promise<void>;
}

/** How long is waited for a client, in milliseconds. */
export interface RequestTimes {
  /** For its request. */
  readonly headersMs: number;
  /** With its body, which no request that is served has. */
  readonly requestMs: number;
  /** Between two looks for those that are late. */
  readonly checkMs: number;
  /** Until one that has closed its side and takes nothing is dropped: it may have gone, and nothing else says so. */
  readonly halfClosedMs: number;
}

const TIMES: RequestTimes = { headersMs: 20_000, requestMs: 60_000, checkMs: 30_000, halfClosedMs: 60_000 };
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 4096;
/** Requests of one connection that are worked on at once; APT sends 10, the APT method up to 1000. */
const MAX_PIPELINED = 1024;
const KEEP_ALIVE_MS = 75_000;
/** A client that takes nothing for this long is dropped. */
const IDLE_MS = 180_000;
const BACKLOG = 1024;
/** Of a Unix socket, in bytes (unix(7), with the byte that ends it). */
const MAX_SOCKET_PATH = 107;

/** @throws DebtorrentError PORT_TAKEN, or LISTEN_FAILED, as for a Unix socket that cannot be made. */
export async function listen(
  deps: ListenersDeps,
  tcp: { readonly host: string; readonly port: number },
  socketPath: string | undefined,
  times = TIMES,
): Promise<Listeners> {
  const handedOver = new Set<Duplex>();
  const server = makeServer(deps, handedOver, times);
  await start(server, { host: tcp.host, port: tcp.port, backlog: BACKLOG }, formatAuthority(tcp.host, tcp.port));
  const servers = [server];
  if (socketPath !== undefined) {
    const local = makeServer(deps, handedOver, times);
    try {
      // longer ones are cut by Node 20, which then listens somewhere else
      if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
        throw cannotListen(socketPath, `the path of a socket has at most ${MAX_SOCKET_PATH} bytes`);
      }
      await requireDirectory(socketPath);
      await removeStale(socketPath);
      await start(local, { path: socketPath, backlog: BACKLOG }, socketPath);
      await chmod(socketPath, 0o666);
    } catch (error) {
      server.close();
      local.close();
      throw error instanceof DebtorrentError ? error : cannotListen(socketPath, (error as Error).message);
    }
    servers.push(local);
  }
  const { address, port } = server.address() as AddressInfo;
  return {
    address: formatAuthority(address, port),
    port,
    failed: new Promise((resolve) => {
      for (const each of servers) each.on('error', resolve);
    }),
    stopAccepting() {
      for (const each of servers) {
        each.close();
        each.closeIdleConnections();
      }
    },
    async close() {
      for (const socket of handedOver) socket.destroy();
      await Promise.all(
        servers.map(
          (each) =>
            new Promise<void>((resolve) => {
              each.close(() => resolve());
              each.closeAllConnections();
            }),
        ),
      );
    },
  };
}

/** @param handedOver takes the sockets that node:http knows nothing of any more. */
function makeServer(deps: ListenersDeps, handedOver: Set<Duplex>, times: RequestTimes): Server {
  const { request, connect: tunnel, refused } = deps;
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: times.headersMs,
    requestTimeout: times.requestMs,
    connectionsCheckingInterval: times.checkMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requireHostHeader: false,
    noDelay: true,
    insecureHTTPParser: false,
  });
  // Who has sent all that it asks for may close its side and read the answers (RFC 9112 section 9.6), as `nc -N` does.
  // Whether it reads is seen by what is written to it.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('connection', (socket) => socket.once('end', () => socket.setTimeout(times.halfClosedMs)));
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = IDLE_MS;
  /** Requests of each connection that are being answered. */
  const pending = new WeakMap<Duplex, number>();
  const latest = new WeakMap<Duplex, IncomingMessage>();
  /** What ends a connection on which something came that is no request, once the requests before it are answered. */
  const ends = new WeakMap<Duplex, () => void>();
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    const { socket } = req;
    const count = (pending.get(socket) ?? 0) + 1;
    pending.set(socket, count);
    latest.set(socket, req);
    res.once('close', () => {
      const left = (pending.get(socket) ?? 1) - 1;
      pending.set(socket, left);
      if (left === 0) ends.get(socket)?.();
    });
    if (count > MAX_PIPELINED) {
      const error = new DebtorrentError('OVERLOADED', 'too many requests on one connection');
      refused(error);
      sendError(res, error);
    } else request(req, res);
  });
  // An expectation that is not known may be ignored (RFC 9110 section 10.1.1); node:http would send a bare 417.
  server.on('checkExpectation', (req, res) => server.emit('request', req, res));
  server.on('connect', (req: IncomingMessage, socket: Duplex, early: Buffer) => {
    handedOver.add(socket);
    socket.once('close', () => handedOver.delete(socket));
    // node:http hands the socket over at once: a tunnel's bytes would stand in the middle of an earlier answer.
    if ((pending.get(socket) ?? 0) > 0) socket.destroy();
    else tunnel(req, socket, early);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    // All that comes after it is as malformed.
    if (ends.has(socket)) return;
    const refusal = malformed(error);
    const end = () => {
      if (!socket.writable) return;
      // In the body of a request that has been answered: there is nothing more to say.
      if (latest.get(socket)?.complete === false) endQuietly(socket);
      else {
        refused(refusal);
        endWith(socket, refusal);
      }
    };
    ends.set(socket, end);
    // An error text in the middle of an answer would be taken for its bytes.
    if ((pending.get(socket) ?? 0) === 0) end();
  });
  return server;
}

function endQuietly(socket: Duplex): void {
  endIn(socket, LINGER_MS);
  socket.end(() => socket.destroy());
}

function malformed({ code, message }: NodeJS.ErrnoException): DebtorrentError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new DebtorrentError('REQUEST_TIMEOUT', 'the request did not come in time');
    case 'HPE_HEADER_OVERFLOW':
      return new DebtorrentError('BAD_REQUEST', `headers over ${MAX_HEADER_BYTES} bytes`);
    default:
      return new DebtorrentError('BAD_REQUEST', `malformed request: ${message}`);
  }
}

async function start(server: Server, options: object, what: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, `cannot listen on ${what}`)));
    server.listen(options, resolve);
  });
}

function cannotListen(path: string, why: string): DebtorrentError {
  return new DebtorrentError('LISTEN_FAILED', `cannot listen on ${path}: ${why}`);
}

/** libuv says "permission denied" where there is no directory, as Windows does. */
async function requireDirectory(path: string): Promise<void> {
  const code = await stat(dirname(path)).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
  if (code === 'ENOENT') throw cannotListen(path, `there is no directory ${dirname(path)}`);
}

/** A socket file that a killed daemon left is removed; one that answers, or anything else, is not. */
async function removeStale(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined || !stats.isSocket()) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (alive) throw new DebtorrentError('PORT_TAKEN', `cannot listen on ${path}: it is in use`);
  await unlink(path);
}
