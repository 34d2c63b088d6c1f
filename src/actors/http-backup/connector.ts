/**
 * Connections for undici that a mirror cannot end in a way that ends this thread: undici 7 asserts that its parser is not
 * paused when a connection that was to close does so, be it by FIN or RST (nodejs/undici#5360, mended in undici 8, which
 * needs Node 22). The parser is paused whenever the disk is slower than the mirror. A listener that comes before
 * undici's own lets it go on in time.
 */
import type { Socket } from 'node:net';

import { buildConnector } from 'undici';

import { sharedRead } from './shared-reads.ts';
import { parserOf } from './undici-parser.ts';

export function createConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const secure = buildConnector(options);
  return (target, callback) => {
    const read = target.protocol === 'https:' ? undefined : sharedRead();
    const connect = read === undefined ? secure : buildConnector({ ...options, onread: read.onread });
    connect(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      read?.attach(socket);
      neverPausedAtItsEnd(socket);
      return callback(null, socket);
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
