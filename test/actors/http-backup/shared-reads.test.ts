/** Plain connections to mirrors share the memory that they read into: what is kept of it must not change. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import t, { type Test } from 'tap';

import { compileHostRules } from '../../../src/core/host-rules.ts';
import { mirrorRequest } from '../../../src/core/http/mirror-url.ts';
import type { MirrorUrl } from '../../../src/core/ids.ts';
import type { Headers } from '../../../src/actors/http-backup/answer.ts';
import { createExchanger } from '../../../src/actors/http-backup/exchange.ts';
import { until } from '../../kernel/contract.ts';
import { randomBytes } from '../../support/random.ts';

const TIMEOUTS = { connectMs: 5_000, headersMs: 5_000, stallMs: 5_000, againMs: 5_000 };
const BODY = randomBytes('shared reads', 1_000_000);

/** A mirror whose answers the test writes: its connections in the order of their first requests, and who asks it. */
async function setUp(t: Test, greeting = '') {
  const sockets: Socket[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    if (greeting !== '') socket.write(greeting);
    socket.once('data', () => sockets.push(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const exchanger = createExchanger({ rules: compileHostRules(['127.0.0.1']), connections: 4, timeouts: TIMEOUTS });
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await exchanger.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.deb` as MirrorUrl;
  const ask = (pauses = false) => {
    const came = { headers: undefined as Headers | undefined, body: [] as Buffer[], ended: false, error: '' };
    const exchange = exchanger.open(
      { method: 'GET', request: mirrorRequest(url), headers: {} },
      {
        head: (_status, headers) => void (came.headers = headers),
        data: (chunk) => {
          came.body.push(Buffer.from(chunk));
          if (pauses) {
            exchange.pause();
            setTimeout(() => exchange.resume(), 1);
          }
        },
        end: () => void (came.ended = true),
        error: (error) => void (came.error = error.message),
      },
    );
    return came;
  };
  return { sockets, ask };
}

const arrived = () => new Promise((resolve) => setTimeout(resolve, 30));

t.test('a head that comes in parts, with the answer of another connection between them', async (t) => {
  const { sockets, ask } = await setUp(t);
  const first = ask();
  await until(() => sockets.length === 1);
  const second = ask();
  await until(() => sockets.length === 2);
  const [one, two] = sockets as [Socket, Socket];
  one.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: "the-first"\r\nLast-Mod');
  await arrived();
  two.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\nETag: "another"\r\n\r\n`);
  two.write(BODY);
  await until(() => second.ended);
  one.write('ified: Wed, 25 Nov 2026 10:00:00 GMT\r\nX-A');
  await arrived();
  one.write('nd: more\r\n\r\nabc');
  await until(() => first.ended);
  t.match(first.headers, {
    etag: '"the-first"',
    'last-modified': 'Wed, 25 Nov 2026 10:00:00 GMT',
    'x-and': 'more',
    'content-length': '3',
  });
  t.equal(Buffer.concat(first.body).toString(), 'abc');
  t.match(second.headers, { etag: '"another"' });
  t.ok(Buffer.concat(second.body).equals(BODY));
});

t.test('answers that pause at each of their pieces, four at a time', async (t) => {
  const { sockets, ask } = await setUp(t);
  const asked = [ask(true), ask(true), ask(true), ask(true)];
  await until(() => sockets.length === 4);
  for (const [n, socket] of sockets.entries()) {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length - n}\r\n\r\n`);
    socket.write(BODY.subarray(n));
  }
  await until(() => asked.every(({ ended, error }) => ended || error !== ''));
  const lengths = new Set(asked.map(({ body }) => Buffer.concat(body).length));
  t.strictSame(
    [...lengths].sort((a, b) => b - a),
    [0, 1, 2, 3].map((n) => BODY.length - n),
  );
  for (const { body, error } of asked) {
    const bytes = Buffer.concat(body);
    t.equal(error, '');
    t.ok(bytes.equals(BODY.subarray(BODY.length - bytes.length)));
  }
});

t.test('what a mirror says before it is asked is heard at once', async (t) => {
  const { ask } = await setUp(t, 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc');
  const came = ask();
  const began = Date.now();
  await until(() => came.error !== '' || came.ended);
  t.ok(Date.now() - began < TIMEOUTS.headersMs);
});
