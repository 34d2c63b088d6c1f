import dns from 'node:dns';
import { once } from 'node:events';
import { Socket, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';

import { listenOn, openSocket, SharedReads, type PeerSocket } from '../../../../src/actors/swarm/link/sockets.ts';
import { addressesAre, farServer } from '../../../support/far-server.ts';

/** A connection whose accepted end reads into the shared buffer, as the dialled one does. */
async function connection(t: Test) {
  const reads = new SharedReads();
  let accepted: ((socket: Socket) => void) | undefined;
  const came = new Promise<Socket>((resolve) => (accepted = resolve));
  const server = await listenOn('127.0.0.1', 0, {
    paused: true,
    accepted: (socket) => accepted?.(socket),
    failed: (error) => t.fail(error.message),
  });
  const { port } = server.address() as AddressInfo;
  const dialled = await new Promise<PeerSocket>((resolve, reject) => {
    openSocket({ host: '127.0.0.1', port, psk: undefined, reads }, resolve, ({ message }) =>
      reject(new Error(message)),
    );
  });
  const original = await came;
  const there = reads.accepted(original);
  t.teardown(() => {
    dialled.socket.destroy();
    there.socket.destroy();
    server.close();
  });
  return { server, dialled, there, original };
}

t.test('both ends read into one and the same buffer, and what they send arrives whole', async (t) => {
  const { dialled, there } = await connection(t);
  const buffers = new Set<ArrayBufferLike>();
  for (const [from, to] of [
    [dialled, there],
    [there, dialled],
  ] as const) {
    const sent = Buffer.alloc(3_000_000, 'some bytes or other');
    const got: Buffer[] = [];
    await new Promise<void>((resolve) => {
      to.hear((chunk) => {
        buffers.add(chunk.buffer);
        got.push(Buffer.from(chunk));
        if (got.reduce((sum, { length }) => sum + length, 0) === sent.length) resolve();
      });
      from.socket.write(sent);
    });
    t.ok(Buffer.concat(got).equals(sent));
  }
  t.equal(buffers.size, 1);
});

t.test('pause and resume hold up what comes, in both ends', async (t) => {
  const { dialled, there } = await connection(t);
  for (const [from, to] of [
    [dialled, there],
    [there, dialled],
  ] as const) {
    let got = 0;
    let more: (() => void) | undefined;
    to.hear((chunk) => {
      got += chunk.length;
      more?.();
    });
    to.socket.pause();
    await new Promise((resolve) => from.socket.write('x', resolve));
    const echo = new Promise<void>((resolve) => from.hear(() => resolve()));
    await new Promise((resolve) => to.socket.write('y', resolve));
    await echo;
    t.equal(got, 0);
    t.ok(to.socket.isPaused());
    const heard = new Promise<void>((resolve) => (more = resolve));
    to.socket.resume();
    await heard;
    t.equal(got, 1);
  }
});

t.test('an accepted socket ends when its peer does, and the server forgets it', async (t) => {
  const { server, dialled, there, original } = await connection(t);
  t.equal(there.socket.remotePort, (dialled.socket.address() as AddressInfo).port);
  there.hear(() => undefined);
  const ended = once(there.socket, 'end');
  const closed = once(there.socket, 'close');
  dialled.socket.end();
  await Promise.all([ended, closed]);
  t.ok(original.destroyed);
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

t.test('an accepted socket can be reset', async (t) => {
  const { server, dialled, there } = await connection(t);
  const error = once(dialled.socket, 'error');
  dialled.hear(() => undefined);
  there.socket.resetAndDestroy();
  t.match((await error)[0], { code: 'ECONNRESET' });
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

t.test('a socket that shows no handle is taken as it is', (t) => {
  const socket = new Socket();
  t.equal(new SharedReads().accepted(socket).socket, socket);
  t.end();
});

t.test('a peer that is far away, and another address of its name where nobody listens', async (t) => {
  const { lookup } = dns;
  t.teardown(() => Object.assign(dns, { lookup }));
  Object.assign(dns, { lookup: addressesAre('127.0.0.1', '127.0.0.2') });
  const { port, wake } = await farServer(t);
  setTimeout(wake, 600);
  const { socket } = await new Promise<PeerSocket>((resolve, reject) => {
    const to = { host: 'peer.example', port, psk: undefined, reads: new SharedReads() };
    openSocket(to, resolve, ({ message }) => reject(new Error(message)));
  });
  t.equal(socket.remoteAddress, '127.0.0.1');
  socket.destroy();
});

t.test('of several addresses where nobody listens the reason names each', async (t) => {
  const { server, dialled } = await connection(t);
  const { port } = server.address() as AddressInfo;
  dialled.socket.destroy();
  const { lookup } = dns;
  t.teardown(() => Object.assign(dns, { lookup }));
  Object.assign(dns, { lookup: addressesAre('127.0.0.2', '127.0.0.3') });
  const reason = await new Promise<string>((resolve, reject) => {
    const to = { host: 'peer.example', port, psk: undefined, reads: new SharedReads() };
    openSocket(
      to,
      () => reject(new Error('nobody listens there')),
      ({ message }) => resolve(message),
    );
  });
  t.match(reason, /ECONNREFUSED 127\.0\.0\.2.*ECONNREFUSED 127\.0\.0\.3/);
});
