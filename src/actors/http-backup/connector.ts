/**
 * Connections for undici that a mirror cannot end in a way that ends this thread: undici 7 asserts that its parser is not
 * paused when a connection that was to close does so, be it by FIN or RST (nodejs/undici#5360, mended in undici 8, which
 * needs Node 22). The parser is paused whenever the disk is slower than the mirror. A listener that comes before
 * undici's own lets it go on in time.
 */
import { connect, type LookupFunction, type Socket } from 'node:net';

import { buildConnector } from 'undici';

import { connectAny } from './connect-any.ts';
import { sharedRead, type SharedRead } from './shared-reads.ts';
import { parserOf } from './undici-parser.ts';

export interface ConnectorOptions {
  /** To connect, and again for TLS, in milliseconds. */
  readonly timeout: number;
  readonly lookup: LookupFunction;
  /** PEM certificates to trust besides Node's own. */
  readonly ca?: string[];
}

/** As undici itself connects. */
const PLAIN = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, highWaterMark: 64 * 1024 };

export function createConnector({ timeout, lookup, ca }: ConnectorOptions): buildConnector.connector {
  const secure = buildConnector({ timeout, ...(ca !== undefined && { ca }) });
  return (target, callback) => {
    const isSecure = target.protocol === 'https:';
    const reads = new Map<Socket, SharedRead>();
    const open = (to: { host: string; port: number }) => {
      const read = isSecure ? undefined : sharedRead();
      const socket = connect({ ...to, ...PLAIN, ...(read && { onread: read.onread }) });
      if (read) reads.set(socket, read);
      return socket;
    };
    const port = Number(target.port) || (isSecure ? 443 : 80);
    connectAny({ host: target.hostname, port, lookup, timeoutMs: timeout, open }, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
      } else if (isSecure) {
        secure({ ...target, httpSocket: socket }, (...result) => {
          if (result[0] === null) neverPausedAtItsEnd(result[1]);
          callback(...result);
        });
      } else {
        reads.get(socket)?.attach(socket);
        neverPausedAtItsEnd(socket);
        callback(null, socket);
      }
    });
  };
}

function neverPausedAtItsEnd(socket: Socket): void {
  // All that came has been read: nothing is kept back any more by a pause.
  socket.on('end', () => {
    const parser = parserOf(socket);
    if (parser?.paused === true) parser.resume();
    // A body that ends with the connection is paused again, as its end is not known yet.
    if (parser?.paused !== true || parser.ptr === null) return;
    parser.llhttp.llhttp_resume(parser.ptr);
    parser.paused = false;
  });
  for (const event of ['error', 'close'] as const) {
    socket.on(event, () => {
      const parser = parserOf(socket);
      if (parser !== undefined) parser.paused = false;
    });
  }
}
