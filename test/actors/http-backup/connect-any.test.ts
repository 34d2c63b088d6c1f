/** Hosts with several addresses, of which some are far away, refuse or cannot be reached. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type LookupFunction, type Socket } from 'node:net';

import t from 'tap';

import { connectAny } from '../../../src/actors/http-backup/connect-any.ts';
import { createConnector } from '../../../src/actors/http-backup/connector.ts';
import { until } from '../../kernel/contract.ts';
import { farServer } from '../../support/far-server.ts';

const HOST = 'mirror.example';
const TIMEOUT_MS = 30_000;
/** Nobody listens there: it refuses. */
const DEAD = '127.0.0.2';

const lookupOf =
  (...addresses: string[]): LookupFunction =>
  (_host, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

t.test('a mirror that is far away, and another address of it that cannot be reached', async (t) => {
  const { port, wake } = await farServer(t);
  const connector = createConnector({ timeout: TIMEOUT_MS, lookup: lookupOf('127.0.0.1', DEAD) });
  const target = { hostname: HOST, host: HOST, protocol: 'http:', port: String(port) };
  setTimeout(wake, 600);
  const socket = await new Promise<Socket>((resolve, reject) => {
    connector(target, (...[error, connected]) => (error === null ? resolve(connected) : reject(error)));
  });
  t.equal(socket.remoteAddress, '127.0.0.1');
  socket.destroy();
});

/** Connects, and says which addresses were tried in turn. */
function tryAll(port: number, lookup: LookupFunction, timeoutMs = TIMEOUT_MS) {
  const sockets: Socket[] = [];
  const hosts: string[] = [];
  const open = (to: { host: string; port: number }) => {
    const socket = connect(to);
    sockets.push(socket);
    hosts.push(to.host);
    return socket;
  };
  let giveUp: () => void = () => undefined;
  const result = new Promise<Socket>((resolve, reject) => {
    giveUp = connectAny({ host: HOST, port, lookup, timeoutMs, open }, (...[error, socket]) =>
      error === null ? resolve(socket) : reject(error),
    );
  });
  return { sockets, hosts, giveUp, result };
}

t.test('an address that refuses is followed by the next one, both families by turns', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.9');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { result, hosts } = tryAll(port, lookupOf(DEAD, '127.0.0.3', '127.0.0.9', '::ffff:127.0.0.4'));
  const socket = await result;
  t.equal(socket.remoteAddress, '127.0.0.9');
  t.strictSame(hosts, [DEAD, '::ffff:127.0.0.4', '127.0.0.3', '127.0.0.9']);
  socket.destroy();
});

t.test('when all refuse, the first one says why', async (t) => {
  const { result } = tryAll(9, lookupOf(DEAD, '127.0.0.3'));
  await t.rejects(result, { code: 'ECONNREFUSED', message: /127\.0\.0\.2/ });
});

t.test('a name that leads nowhere', async (t) => {
  const error = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
  const { result } = tryAll(9, (_host, _options, callback) => callback(error, ''));
  await t.rejects(result, { code: 'ENOTFOUND' });
});

t.test('nobody answers: no connection is left', async (t) => {
  const { port } = await farServer(t);
  const { result, sockets } = tryAll(port, lookupOf('127.0.0.1', '127.0.0.1'), 500);
  await t.rejects(result, { code: 'MIRROR_TIMEOUT' });
  t.ok(sockets.every(({ destroyed }) => destroyed));
  t.ok(sockets.length > 0);
});

t.test('who gives up hears nothing, and no connection is left', async (t) => {
  const { port, wake } = await farServer(t);
  const { result, sockets, giveUp } = tryAll(port, lookupOf('127.0.0.1'));
  let heard = false;
  result.then(
    () => (heard = true),
    () => (heard = true),
  );
  giveUp();
  wake();
  await until(() => sockets.every(({ closed }) => closed));
  t.notOk(heard);
});
