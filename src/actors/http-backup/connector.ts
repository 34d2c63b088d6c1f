/**
 * Connections for undici that a mirror cannot end in a way that ends this thread: undici 7 asserts that its parser is not
 * paused when a connection that was to close does so, be it by FIN or RST (nodejs/undici#5360, mended in undici 8, which
 * needs Node 22). The parser is paused whenever the disk is slower than the mirror. A listener that comes before
 * undici's own lets it go on in time.
 */
import type { Socket } from 'node:net';

import { buildConnector } from 'undici';

/** What is used of undici's parser, which it keeps at the socket under a symbol. */
interface Parser {
  paused: boolean;
  readonly ptr: number | null;
  readonly llhttp: { llhttp_resume(ptr: number): void };
  resume(): void;
}

const PARSER = 'parser';

export function createConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      neverPausedAtItsEnd(socket);
      return callback(null, socket);
    });
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

function parserOf(socket: Socket): Parser | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === PARSER);
  return (symbol && (socket as unknown as Record<symbol, Parser | null>)[symbol]) ?? undefined;
}
