/**
 * The tracker's HTTP side: what reaches the library of a request is a path that it serves and the fields that it needs.
 * (It takes any field of the query for one of its own: `socket=x` in one announcement and `event=stopped` in the next
 * would end the process.)
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { BoundedServer } from './bounded-server.ts';

const FIELDS: ReadonlySet<string> = new Set(['info_hash', 'peer_id', 'port', 'left', 'event', 'numwant', 'compact']);
const MAX_CONNECTIONS = 1_024;
/** 20 escaped bytes three times and the rest; scrapes of some tens of torrents. */
const MAX_HEAD = 8 << 10;
const MAX_HASHES = 64;
const TIMEOUT_MS = 5_000;

export function createTrackerHttp(tracker: BoundedServer): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEAD,
      headersTimeout: TIMEOUT_MS,
      requestTimeout: TIMEOUT_MS,
      keepAliveTimeout: TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_MS,
    },
    (request, response) => answer(tracker, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = 100;
  server.setTimeout(2 * TIMEOUT_MS);
  server.on('clientError', (_, socket) => socket.destroy());
  server.on('connect', (_, socket) => socket.destroy());
  server.on('upgrade', (_, socket) => socket.destroy());
  return server;
}

function answer(tracker: BoundedServer, request: IncomingMessage, response: ServerResponse): void {
  const { remoteAddress } = request.socket;
  const url = cleanUrl(request.url ?? '');
  response.setHeader('Content-Type', 'text/plain');
  if (request.method !== 'GET' || url === undefined || remoteAddress === undefined) {
    response.writeHead(request.method === 'GET' ? 404 : 405, { Connection: 'close' }).end();
    return;
  }
  tracker.onHttpRequest({ url, headers: {}, connection: { remoteAddress } }, response);
}

/** `/announce` or `/scrape` with the fields that are known, each once (a scrape names several torrents). */
export function cleanUrl(url: string): string | undefined {
  const mark = url.indexOf('?');
  const path = url.slice(0, mark);
  if (mark < 0 || (path !== '/announce' && path !== '/scrape')) return undefined;
  const scrape = path === '/scrape';
  const seen = new Set<string>();
  const fields = url
    .slice(mark + 1)
    .split('&')
    .filter((field) => {
      const name = field.slice(0, field.indexOf('='));
      if (!FIELDS.has(name) || (scrape && name !== 'info_hash') || (!scrape && seen.has(name))) return false;
      // present and empty means the same as absent, but not to the library
      if (name === 'event' && field === 'event=') return false;
      seen.add(name);
      return true;
    });
  // without a torrent a scrape would be answered with all of them
  if (!seen.has('info_hash') || fields.length > MAX_HASHES) return undefined;
  return `${path}?${fields.join('&')}`;
}
