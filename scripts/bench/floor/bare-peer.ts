/** Packages over one wire of bittorrent-protocol, each of them one piece: who asks, and (bare-seed.ts) who has them. */
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import Wire from 'bittorrent-protocol';

const BLOCK = 128 * 1024;
/** Requests open at a time, over all files. */
const WINDOW = 64;
const INFO_HASH = '00'.repeat(20);

export interface Sink {
  data(bytes: Uint8Array): void;
  end(): void;
}

export interface BarePeer {
  /** @param path of a request, below the root and with its escapes */
  has(path: string): boolean;
  sizeOf(path: string): number;
  fetch(path: string, sink: Sink): void;
}

/** Paths of the packages below `root`, in an order that both ends have. */
export function packagesBelow(root: string): string[] {
  const paths = readdirSync(root, { recursive: true }) as string[];
  return paths.filter((path) => path.endsWith('.deb')).toSorted();
}

export function wireOn(socket: Socket, type: 'tcpIncoming' | 'tcpOutgoing'): Wire {
  const wire = new Wire(type);
  socket.pipe(wire as unknown as NodeJS.WritableStream);
  (wire as unknown as NodeJS.ReadableStream).pipe(socket);
  wire._debug = () => undefined; // makes text of each message otherwise
  wire.handshake(INFO_HASH, randomBytes(20).toString('hex'), { fast: false });
  return wire;
}

/** Connects, and is there when the other end has unchoked. */
export async function dialPeer(port: number, root: string): Promise<BarePeer> {
  const files = new Map(
    packagesBelow(root).map((path, index) => [`/${path}`, { index, size: statSync(join(root, path)).size }]),
  );
  const find = (path: string) => files.get(decodeURIComponent(path));
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const wire = wireOn(socket, 'tcpOutgoing');
  await new Promise<void>((resolve) => wire.on('unchoke', resolve));
  const waiting: (() => void)[] = [];
  let open = 0;
  function next(): void {
    while (open < WINDOW) {
      const ask = waiting.shift();
      if (ask === undefined) return;
      open++;
      ask();
    }
  }
  return {
    has: (path) => find(path) !== undefined,
    sizeOf: (path) => find(path)?.size ?? 0,
    fetch(path, sink) {
      const { index, size } = find(path) ?? { index: 0, size: 0 };
      for (let at = 0; at < size; at += BLOCK) {
        const length = Math.min(BLOCK, size - at);
        waiting.push(() =>
          wire.request(index, at, length, (error, bytes) => {
            if (error !== null || bytes === undefined) throw error ?? new Error('no block');
            open--;
            sink.data(bytes); // blocks come in the order in which they were asked for
            if (at + length === size) sink.end();
            next();
          }),
        );
      }
      next();
    },
  };
}
