/** bare-seed.js ROOT: gives the packages below ROOT to one who asks in the way of bare-peer.ts; prints its port. */
import { openSync, readSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { listenAnywhere } from './bare-listen.ts';
import { packagesBelow, wireOn } from './bare-peer.ts';

const root = process.argv[2] ?? '.';
const files = packagesBelow(root).map((path) => openSync(join(root, path), 'r'));

const server = createServer((socket) => {
  socket.on('error', () => undefined);
  const wire = wireOn(socket, 'tcpIncoming');
  wire.on('handshake', () => wire.unchoke());
  wire.on('request', (index, offset, length, respond) => {
    const bytes = Buffer.allocUnsafe(length);
    readSync(files[index] ?? -1, bytes, 0, length, offset); // from the page cache, and so in the order of the requests
    respond(null, bytes);
  });
});
listenAnywhere(server);
