/** An answer that fails before anything of it has gone out is an error with its code, not a connection that closes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import t from 'tap';
import { request } from 'undici';

import { DebtorrentError } from '../../src/core/errors.ts';
import { sendError } from '../../src/gateway/answer.ts';
import { ClientExchange } from '../../src/gateway/exchange.ts';
import { randomBytes } from '../support/random.ts';
import { exchange, requestText } from '../support/raw-http.ts';
import { ARCHIVE, startGateway } from './fixtures/gateway-scene.ts';

t.test('the head goes out with the first of the body, with the end, or when it is flushed', async (t) => {
  const parts: Record<string, (client: ClientExchange) => unknown> = {
    '/body': (client) => client.write(Buffer.from('abc')),
    '/end': (client) => client.end('abc'),
    '/flush': (client) => {
      client.flushHead();
      client.end('abc');
    },
    '/error': (client) => sendError(client.res, new DebtorrentError('HASH_MISMATCH', 'another file')),
  };
  const server = createServer((req, res) => {
    const client = new ClientExchange(req, res);
    client.writeHead(200, { 'Content-Length': 3 });
    t.equal(client.firstByteMs, undefined);
    parts[req.url ?? '']?.(client);
    if (req.url !== '/error') t.type(client.firstByteMs, 'number');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const path of ['/body', '/end', '/flush']) {
    const { statusCode, body } = await request(base + path, { reset: true });
    t.strictSame([statusCode, await body.text()], [200, 'abc'], path);
  }
  const { statusCode, headers, body } = await request(`${base}/error`, { reset: true });
  t.strictSame([statusCode, headers['x-debtorrent-error']], [502, 'HASH_MISMATCH']);
  t.equal(await body.text(), 'another file\n');
});

t.test('small files that the mirror has altered: there is always an answer', async (t) => {
  const s = await startGateway(t);
  const names = Array.from({ length: 12 }, (_, n) => `pool/p${n}.deb`);
  const files = Object.fromEntries(names.map((name) => [name, randomBytes(name, 3000)]));
  for (const [name, data] of Object.entries(files)) await s.publish(`${ARCHIVE}/${name}`, data);
  s.index(files);
  s.web.rule(/\.deb$/, { alterAt: 100 });
  for (const name of names) {
    const text = requestText('GET', `/${s.web.host}/${ARCHIVE}/${name}`, s.host);
    const [answer] = await exchange(s.target, text);
    // on a machine that is busy the head may have gone out before the hash was known: that answer ends short
    if (answer?.status === 200) t.strictSame([answer.complete, answer.body.length], [false, 0], name);
    else t.match(answer, { status: 502, complete: true, headers: { 'x-debtorrent-error': 'HASH_MISMATCH' } }, name);
  }
});
