/**
 * The least that a proxy made of the given parts can do: node:http in front, behind it one undici pool for the mirror
 * or one wire of bittorrent-protocol for packages from a peer. One thread, no actors, nothing looked up, no source
 * chosen, no byte verified. With a directory to keep files in, each is hashed and written there as its bytes come.
 *
 * bare-proxy.js MIRROR_PORT KEEP_IN|- [PEER_PORT ROOT]; prints the port that it listens on.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { type ServerResponse, createServer } from 'node:http';
import { join } from 'node:path';
import { type Dispatcher, Pool } from 'undici';
import { listenAnywhere } from './bare-listen.ts';
import { type BarePeer, dialPeer } from './bare-peer.ts';

const [mirrorPort = '', keepIn = '-', peerPort, root = ''] = process.argv.slice(2);
/** As many as APT has in its pipeline. */
const mirror = new Pool(`http://127.0.0.1:${mirrorPort}`, { connections: 10 });
const peer = peerPort === undefined ? undefined : await dialPeer(Number(peerPort), root);
const PREFIX = `/127.0.0.1:${mirrorPort}`;
let kept = 0;

/** Hashes and writes what passes, if that is wanted. */
function keeper(): { data(bytes: Uint8Array): void; end(): void } {
  if (keepIn === '-') return { data: () => undefined, end: () => undefined };
  const hash = createHash('sha256');
  const file = openSync(join(keepIn, `${++kept}`), 'w');
  return {
    data(bytes) {
      hash.update(bytes);
      writeSync(file, bytes);
    },
    end() {
      hash.digest();
      closeSync(file);
    },
  };
}

function fromMirror(path: string, response: ServerResponse): void {
  const keep = keeper();
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart() {},
    onResponseStart(_, status, { 'content-length': length }) {
      response.writeHead(status, typeof length === 'string' ? { 'content-length': length } : {});
    },
    onResponseData(_, chunk) {
      keep.data(chunk);
      response.write(chunk); // nothing holds it back: what waits is at most APT's pipeline
    },
    onResponseEnd() {
      keep.end();
      response.end();
    },
    onResponseError() {
      keep.end();
      response.destroy();
    },
  };
  mirror.dispatch({ path, method: 'GET' }, handler);
}

function fromPeer(from: BarePeer, path: string, response: ServerResponse): void {
  const keep = keeper();
  response.writeHead(200, { 'content-length': from.sizeOf(path) });
  from.fetch(path, {
    data(bytes) {
      keep.data(bytes);
      response.write(bytes);
    },
    end() {
      keep.end();
      response.end();
    },
  });
}

const server = createServer((request, response) => {
  const path = (request.url ?? '').slice(PREFIX.length);
  if (peer?.has(path)) fromPeer(peer, path, response);
  else fromMirror(path, response);
});
listenAnywhere(server);
