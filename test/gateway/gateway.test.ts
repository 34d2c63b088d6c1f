import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { open, truncate, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { parseSha256, type Sha256 } from '../../src/core/ids.ts';
import { layoutOf } from '../../src/actors/store/layout.ts';
import { hashOf, temporaryDirectory } from '../actors/fixtures/fetch-stack.ts';
import { until } from '../kernel/contract.ts';
import { randomBytes } from '../support/random.ts';
import { AnswerParser, exchange, openSocket, requestText, type RawAnswer } from '../support/raw-http.ts';
import { begin } from './fixtures/begun.ts';
import { ARCHIVE, startGateway, type GatewayScene } from './fixtures/gateway-scene.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';

const MIB = 1024 * 1024;
t.setTimeout(600_000);

/** A file that the index knows. */
async function signed(s: GatewayScene, name: string, data: Buffer): Promise<string> {
  await s.publish(`${ARCHIVE}/${name}`, data);
  s.index({ [name]: data });
  return `${ARCHIVE}/${name}`;
}

/** An error as INTERFACE.md says: its code, one line of text, and a length. */
function isError(t: Test, answer: RawAnswer | undefined, status: number, code: string, what = code): void {
  t.match(
    answer,
    { status, complete: true, headers: { 'content-type': /^text\/plain/, 'x-debtorrent-error': code } },
    what,
  );
  t.match(answer?.body.toString(), /^[\x20-\x7e]+\n$/, `${what}: one line`);
  t.equal(answer?.headers['content-length'], String(answer?.body.length), `${what}: a length`);
}

t.test('requests of one connection are worked on at once, and answered in order', async (t) => {
  const s = await startGateway(t);
  const files = ['slow', 'quick', 'none', 'large', 'quick'];
  for (const name of ['slow', 'quick', 'large'])
    await s.publish(name, randomBytes(name, name === 'large' ? 2 * MIB : 3000));
  let release = () => undefined as void;
  s.web.rule('/slow', { hold: new Promise<void>((resolve) => (release = resolve)) });
  const text = files.map((name) => requestText('GET', `/${s.web.host}/${name}`, s.host)).join('');
  const answers = exchange(s.target, text, { answers: 5 });
  await until(() => s.web.requests('/large')[0]?.done === true);
  release();
  const [slow, quick, none, large, again] = await answers;
  t.ok(slow?.body.equals(randomBytes('slow', 3000)));
  t.ok(quick?.body.equals(randomBytes('quick', 3000)));
  t.equal(none?.status, 404);
  t.ok(large?.body.equals(randomBytes('large', 2 * MIB)));
  t.ok(again?.body.equals(randomBytes('quick', 3000)));
});

t.test('what is indexed is known by its hash: the same tag from mirror, memory, disk, and for HEAD', async (t) => {
  const s = await startGateway(t);
  for (const size of [3000, 400_000]) {
    const data = randomBytes(String(size), size);
    const path = await signed(s, `pool/${size}.deb`, data);
    const head = await s.get(path, [], 'HEAD');
    t.match(head, {
      status: 200,
      headers: { 'content-length': String(size), etag: `"${hashOf(data)}"`, 'accept-ranges': 'bytes' },
    });
    t.equal(s.web.requests(`/${path}`).length, 0, 'without asking the mirror');
    t.match(await s.get(path), {
      status: 200,
      body: data,
      headers: { etag: `"${hashOf(data)}"`, 'x-debtorrent-source': 'mirror' },
    });
    await until(async () => (await s.store.ref.ask('find', hashOf(data))) !== undefined);
    for (const what of ['again', 'and again']) {
      t.match(
        await s.get(path),
        { status: 200, body: data, headers: { etag: `"${hashOf(data)}"`, 'x-debtorrent-source': 'cache' } },
        what,
      );
    }
    t.equal(s.web.copies(`/${path}`), 1);
  }
});

t.test('HEAD of what no index knows is the mirror’s', async (t) => {
  const s = await startGateway(t);
  await s.publish('a', Buffer.alloc(5000));
  const head = await s.get('a', [], 'HEAD');
  t.match(head, { status: 200, headers: { 'content-length': '5000', etag: /^"/ } });
  t.equal((await s.get('a')).headers['etag'], head.headers['etag']);
  t.equal((await s.get('none', [], 'HEAD')).status, 404);
});

t.test('ranges and conditions', async (t) => {
  const s = await startGateway(t);
  for (const size of [3000, 400_000]) {
    const data = randomBytes(String(size), size);
    const path = await signed(s, `pool/${size}.deb`, data);
    const etag = `"${hashOf(data)}"`;
    for (const round of ['arriving', 'cached', 'remembered']) {
      const what = (text: string) => `${text}, ${size}, ${round}`;
      const part = await s.get(path, ['Range: bytes=100-1999']);
      t.match(
        part,
        { status: 206, headers: { 'content-range': `bytes 100-1999/${size}`, 'content-length': '1900' } },
        what('range'),
      );
      t.ok(part.body.equals(data.subarray(100, 2000)));
      const rest = await s.get(path, ['Range: bytes=1000-', `If-Range: ${etag}`]);
      t.ok(rest.status === 206 && rest.body.equals(data.subarray(1000)), what('If-Range holds'));
      const other = await s.get(path, ['Range: bytes=1000-', 'If-Range: "other"']);
      t.ok(other.status === 200 && other.body.equals(data), what('If-Range does not hold'));
      const last = await s.get(path, ['Range: bytes=-10']);
      t.ok(last.status === 206 && last.body.equals(data.subarray(size - 10)), what('the end'));
      isError(t, await s.get(path, [`Range: bytes=${size}-`]), 416, 'RANGE_NOT_SATISFIABLE', what('beyond'));
      t.match(
        await s.get(path, [`If-None-Match: ${etag}`]),
        { status: 304, headers: { etag }, body: Buffer.alloc(0) },
        what('304'),
      );
      t.equal((await s.get(path, ['Range: bytes=5-1'])).status, 200, what('nonsense'));
      t.equal((await s.get(path, ['Range: bytes=0-1,5-6'])).status, 200, what('several'));
    }
  }
});

t.test('a client of HTTP/1.0 gets a length, or a connection that ends', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('old', 700_000);
  await s.publish('a', data);
  s.web.rule('/a', { chunked: 'only', rate: 2_000_000 });
  const [answer] = await exchange(s.target, `GET /${s.web.host}/a HTTP/1.0\r\n\r\n`);
  t.match(answer, { status: 200, complete: true, headers: { 'content-length': '700000' } });
  t.ok(answer?.body.equals(data));
  t.equal(answer?.headers['transfer-encoding'], undefined);
});

t.test('a body of unknown length comes in chunks, and one that breaks off is not whole', async (t) => {
  const s = await startGateway(t);
  await s.publish('a', randomBytes('u', 900_000));
  s.web.rule('/a', { chunked: 'only', rate: 2_000_000 });
  t.match(await s.get('a'), { status: 200, complete: true, body: randomBytes('u', 900_000) });
  await s.publish('b', randomBytes('v', 900_000));
  s.web.rule('/b', {
    chunked: 'only',
    truncateAt: 600_000,
    rate: 2_000_000,
    headers: { etag: '', 'last-modified': '' },
  });
  const broken = await s.get('b').catch(() => undefined);
  t.notOk(broken?.status === 200 && broken.complete);
});

t.test('clients that leave at any moment leave nothing behind', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('leave', 6 * MIB);
  const path = await signed(s, 'pool/a.deb', data);
  s.web.rule(`/${path}`, { rate: 6 * MIB });
  const text = requestText('GET', `/${s.web.host}/${path}`, s.host);
  await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const socket = openSocket(s.target);
      socket.write(text.repeat(1 + (n % 4)));
      await new Promise((resolve) => setTimeout(resolve, n * 10));
      if (n % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }),
  );
  await s.gateway.idle();
  t.ok((await s.get(path)).body.equals(data));
  t.equal(s.web.copies(`/${path}`), 1);
  const { transfers } = await s.transfers.ref.ask('status');
  t.ok(transfers.every(({ waiting_clients }) => waiting_clients === 0));
});

t.test('a slow reader of a large file costs little memory, and gets it all', async (t) => {
  const s = await startGateway(t);
  const size = 200 * MIB;
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(MIB);
  for (let n = 0; n < 200; n++) hash.update(chunk);
  const sha256 = parseSha256(hash.digest('hex')) as Sha256;
  const { path } = await s.store.ref.ask('openPartial', sha256 as never, size, false);
  await truncate(path, size);
  await s.store.ref.within(30_000).ask('commit', sha256 as never, sha256, size, undefined);
  const before = process.memoryUsage().rss;
  const socket = openSocket(s.target);
  socket.write(requestText('GET', `/${s.web.host}/${ARCHIVE}/dists/x/by-hash/SHA256/${sha256}`, s.host));
  let received = 0;
  let peak = 0;
  let lastPause = 0;
  socket.on('data', (data) => {
    received += data.length;
    if (received - lastPause < 20 * MIB) return;
    lastPause = received;
    peak = Math.max(peak, process.memoryUsage().rss);
    socket.pause();
    setTimeout(() => socket.resume(), 50);
  });
  await until(() => received > size || socket.destroyed);
  t.ok(received > size, `${received} bytes`);
  t.ok(peak - before < 80 * MIB, `${Math.round((peak - before) / MIB)} MiB more`);
  socket.destroy();
});

t.test('a cached file that was changed on disk is hashed before it is sent', async (t) => {
  const root = await temporaryDirectory(t);
  const s = await startGateway(t, { root });
  const data = randomBytes('on disk', 5 * MIB);
  const path = await signed(s, 'pool/a.deb', data);
  await s.get(path);
  const cached = layoutOf(root).file(hashOf(data));
  await until(() => existsSync(cached));
  for (const at of [0, 5 * MIB - 1]) {
    const file = await open(cached, 'r+');
    await file.write(Buffer.from([(data[at] as number) ^ 1]), 0, 1, at);
    await file.close();
    const { ino } = statSync(cached);
    t.match(await s.get(path), { status: 200, complete: true, body: data }, `byte ${at}`);
    await until(() => existsSync(cached) && statSync(cached).ino !== ino);
  }
  s.web.forget();
  t.match(await s.get(path), { status: 200, complete: true, body: data });
  t.equal(s.web.log.length, 0);
});

t.test('a store that has no room makes it a plain proxy that still checks', async (t) => {
  const s = await startGateway(t, { limitBytes: 100_000 });
  const data = randomBytes('full', 3 * MIB);
  const path = await signed(s, 'pool/a.deb', data);
  t.match(await s.get(path), { status: 200, complete: true, body: data, headers: { etag: `"${hashOf(data)}"` } });
  const part = await s.get(path, ['Range: bytes=1000000-2000000']);
  t.ok(part.status === 206 && part.body.equals(data.subarray(1_000_000, 2_000_001)), 'a range');
  isError(t, await s.get(path, ['Range: bytes=99999999-']), 416, 'RANGE_NOT_SATISFIABLE');
  t.equal((await s.get(path, [`If-None-Match: "${hashOf(data)}"`])).status, 304);
  for (const at of [5, 3 * MIB - 5]) {
    const stop = s.web.rule(`/${path}`, { alterAt: at });
    const wrong = await s.get(path);
    t.notOk(wrong.complete, `altered at ${at}: ${wrong.body.length} bytes`);
    stop();
    const retry = await s.get(path, ['Range: bytes=1000-', `If-Range: "${hashOf(data)}"`]);
    t.ok(retry.status === 200 && retry.body.equals(data), 'who has wrong bytes gets the whole');
  }
  s.web.rule(`/${path}`, { status: 404 });
  isError(t, await s.get(path), 404, 'NOT_FOUND');
  await s.publish('plain', data);
  t.match(await s.get('plain'), { status: 200, complete: true, body: data });
  const texts = ['plain', 'plain'].map((name) => requestText('GET', `/${s.web.host}/${name}`, s.host)).join('');
  const both = await exchange(s.target, texts, { answers: 2 });
  t.ok(both.length === 2 && both.every(({ body }) => body.equals(data)), 'one after the other on one connection');
});

t.test('an answer under way goes on when the disk fills up', { skip: skipWithoutMount() }, async (t) => {
  const root = await temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32M', 'tmpfs', root]);
  t.teardown(() => execFileSync('umount', ['--lazy', root]));
  const s = await startGateway(t, { root });
  const data = randomBytes('fills', 12 * MIB);
  const path = await signed(s, 'pool/a.deb', data);
  const filler = join(root, 'filler');
  for (const [what, headers, start, end] of [
    ['whole', [], 0, data.length],
    ['a range', ['Range: bytes=100000-9000000'], 100_000, 9_000_001],
  ] as const) {
    let release = () => undefined as void;
    s.web.clearRules();
    s.web.rule(`/${path}`, { stallAt: MIB, until: new Promise<void>((resolve) => (release = resolve)) }, 4);
    const parser = new AnswerParser();
    const socket = openSocket(s.target);
    let received = 0;
    let closed = false;
    socket.on('data', (part) => {
      received += part.length;
      parser.push(part);
    });
    socket.on('close', () => {
      closed = true;
      parser.end();
    });
    socket.write(requestText('GET', `/${s.web.host}/${path}`, s.host, ['Connection: close', ...headers]));
    await until(() => received > 100_000);
    const handle = await open(filler, 'w');
    await handle.write(Buffer.alloc(40 * MIB)).catch(() => undefined);
    await handle.write(Buffer.alloc(40 * MIB)).catch(() => undefined);
    await handle.close();
    release();
    await until(() => closed);
    const [answer] = parser.answers;
    t.ok(answer?.complete && answer.body.equals(data.subarray(start, end)), `${what}: ${answer?.body.length}`);
    t.ok(s.log.of('passing by the store').length > 0);
    await truncate(filler, 0);
    await until(async () => (await s.transfers.ref.ask('status')).transfers.length === 0);
    s.store.ref.tell('discardPartial', hashOf(data) as never);
  }
});

t.test('an expectation that nobody knows is ignored', async (t) => {
  const s = await startGateway(t);
  await s.publish('a', Buffer.from('abc'));
  t.match(await s.get('a', ['Expect: foo']), { status: 200, complete: true, body: Buffer.from('abc') });
  isError(t, await s.get('none', ['Expect: foo']), 404, 'NOT_FOUND');
});

t.test('HEAD of what is cached is answered as GET is while the mirror is down', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('down', 200_000);
  const paths = [`${ARCHIVE}/dists/trixie/InRelease`, `${ARCHIVE}/dists/trixie/main/by-hash/SHA256/${hashOf(data)}`];
  for (const path of paths) {
    await s.publish(path, data);
    t.equal((await s.get(path)).status, 200);
  }
  await s.web.down();
  for (const path of paths) {
    const head = await s.get(path, [], 'HEAD');
    t.match(head, { status: 200, headers: { 'content-length': String(data.length) } }, path);
  }
  isError(t, await s.get('other'), 503, 'MIRROR_UNREACHABLE');
  t.equal((await s.get('other', [], 'HEAD')).status, 503, 'what is not cached is not there');
  await s.web.up();
});

t.test('wrong bytes do not survive in the partial file of who got them', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('halves', 6 * MIB);
  const path = await signed(s, 'pool/a.deb', data);
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const stop = s.web.rule(`/${path}`, { alterAt: 100, stallAt: MIB, until: released });
  const client = begin(t, s, path);
  await until(() => client.received() > 100_000);
  release();
  const broken = await client.ended();
  t.equal(broken?.complete, false);
  stop();
  const rest = await s.get(path, [`Range: bytes=${broken?.body.length}-`, `If-Range: "${hashOf(data)}"`]);
  t.ok(rest.status === 200 && rest.body.equals(data));
});

t.test('what is malformed, ambiguous or not served is refused, and the connection is not reused for it', async (t) => {
  const s = await startGateway(t);
  const target = `/${s.web.host}/a`;
  const host = `Host: ${s.host}`;
  for (const [what, text, status, code] of [
    ['no Host', `GET ${target} HTTP/1.1\r\n\r\n`, 400, 'BAD_REQUEST'],
    ['two Hosts', `GET ${target} HTTP/1.1\r\n${host}\r\n${host}\r\n\r\n`, 400, 'BAD_REQUEST'],
    [
      'both framings',
      `GET ${target} HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST',
    ],
    ['a body', `GET ${target} HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\n\r\nhello`, 400, 'BAD_REQUEST'],
    ['chunks', `GET ${target} HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400, 'BAD_REQUEST'],
    ['a bare line feed', `GET ${target} HTTP/1.1\n${host}\n\n`, 400, 'BAD_REQUEST'],
    ['a space before the colon', `GET ${target} HTTP/1.1\r\n${host}\r\nRange : bytes=0-1\r\n\r\n`, 400, 'BAD_REQUEST'],
    ['a folded line', `GET ${target} HTTP/1.1\r\n${host}\r\nX: a\r\n b\r\n\r\n`, 400, 'BAD_REQUEST'],
    [
      'two Ranges',
      `GET ${target} HTTP/1.1\r\n${host}\r\nRange: bytes=0-1\r\nRange: bytes=1-2\r\n\r\n`,
      400,
      'BAD_REQUEST',
    ],
    ['huge headers', `GET ${target} HTTP/1.1\r\n${host}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 400, 'BAD_REQUEST'],
    ['another Host', `GET http://${s.web.host}/a HTTP/1.1\r\nHost: other.example\r\n\r\n`, 400, 'BAD_REQUEST'],
    ['dots', `GET /${s.web.host}/../etc/passwd HTTP/1.1\r\n${host}\r\n\r\n`, 400, 'BAD_TARGET'],
    ['encoded dots', `GET /${s.web.host}/%2e%2e/x HTTP/1.1\r\n${host}\r\n\r\n`, 400, 'BAD_TARGET'],
    ['itself', `GET /${s.host}/a HTTP/1.1\r\n${host}\r\n\r\n`, 400, 'BAD_TARGET'],
    ['POST', `POST ${target} HTTP/1.1\r\n${host}\r\nContent-Length: 0\r\n\r\n`, 405, 'METHOD_NOT_ALLOWED'],
    ['a host off the list', `GET /evil.example/a HTTP/1.1\r\n${host}\r\n\r\n`, 403, 'HOST_NOT_ALLOWED'],
    ['a page under a foreign name', 'GET /status.json HTTP/1.1\r\nHost: evil.example\r\n\r\n', 421, 'MISDIRECTED'],
  ] as const) {
    const [answer] = await exchange(s.target, text);
    isError(t, answer, status, code, what);
  }
  t.equal(s.web.log.length, 0);
  t.equal((await exchange(s.target, requestText('GET', '/healthz', s.host)))[0]?.status, 200);
  const [other] = await exchange(s.target, requestText('GET', '/healthz?mirror=http://evil.example', s.host));
  isError(t, other, 403, 'HOST_NOT_ALLOWED');
});

t.test('own pages answer to own names only', async (t) => {
  const s = await startGateway(t);
  for (const page of ['/', '/status.json', '/metrics', '/healthz', '/readyz']) {
    for (const host of [s.host, 'localhost', `localhost:${s.target.port}`]) {
      const [answer] = await exchange(s.target, requestText('GET', page, host));
      t.equal(answer?.status, 200, `${page} of ${host}`);
    }
    const [head] = await exchange(s.target, requestText('HEAD', page, s.host), { methods: ['HEAD'] });
    t.match(head, { status: 200, body: Buffer.alloc(0) });
    isError(t, (await exchange(s.target, requestText('GET', page, 'mirror.example')))[0], 421, 'MISDIRECTED', page);
  }
  const events = (await exchange(s.target, requestText('GET', '/status.events', 'mirror.example')))[0];
  isError(t, events, 421, 'MISDIRECTED', 'events');
  const status = JSON.parse(
    (await exchange(s.target, requestText('GET', '/status.json', s.host)))[0]?.body.toString() ?? '',
  ) as object;
  t.match(status, {
    version: 'test',
    torrents: [],
    peers: [],
    transfers: [],
    totals: { requests: Number },
    cache: { files: 0 },
  });
  await s.transfers.stop();
  isError(t, (await exchange(s.target, requestText('GET', '/readyz', s.host)))[0], 503, 'ACTOR_STOPPED', 'not ready');
});

t.test('browsers get a page under a strict policy, others some lines', async (t) => {
  const s = await startGateway(t);
  const lines = (await exchange(s.target, requestText('GET', '/', s.host, ['Accept: */*'])))[0];
  t.match(lines, { status: 200, headers: { 'content-type': /^text\/plain/, vary: 'Accept' } });
  t.match(lines?.body.toString(), `http://${s.host}/ftp.us.debian.org/debian`);
  const page = (await exchange(s.target, requestText('GET', '/', s.host, ['Accept: text/html'])))[0];
  t.match(page, {
    status: 200,
    headers: {
      'content-type': /^text\/html/,
      'content-security-policy': /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; /,
      'x-content-type-options': 'nosniff',
    },
  });
  t.notMatch(
    page?.body.toString(),
    /\son\w+=|\sstyle=|javascript:|https?:\/\/(?!127\.0\.0\.1|www\.w3\.org\/2000\/svg)/,
    'all is in it',
  );
  await s.transfers.stop();
  // those who look within a second share what is seen
  await until(async () => {
    const [broken] = await exchange(s.target, requestText('GET', '/', s.host, ['Accept: text/html']));
    return broken?.status === 200 && broken.body.toString().includes('It does not work: ');
  });
});

t.test('pages of mirrors have an origin of their own', async (t) => {
  const s = await startGateway(t);
  await s.publish('index.html', Buffer.from('<script>fetch("/status.json")</script>'));
  s.web.rule('/index.html', { headers: { 'content-type': 'text/html' } });
  t.match((await s.get('index.html')).headers, { 'content-security-policy': 'sandbox' });
  await s.publish('a.deb', Buffer.from('x'));
  t.equal((await s.get('a.deb')).headers['content-security-policy'], undefined);
});

t.test('a mirror that is down, slow or forbidding is an error that APT understands', async (t) => {
  const s = await startGateway(t);
  for (const [status, expected, code] of [
    [404, 404, 'NOT_FOUND'],
    [410, 410, 'GONE'],
    [403, 403, 'FORBIDDEN'],
    [500, 503, 'MIRROR_ERROR'],
  ] as const) {
    const stop = s.web.rule('/a', { status });
    const answer = await s.get('a');
    isError(t, answer, expected, code);
    t.equal(answer.headers['retry-after'] !== undefined, expected === 503);
    stop();
  }
  await s.web.down();
  isError(t, await s.get('a'), 503, 'MIRROR_UNREACHABLE');
});

t.test('what memory holds is forgotten when the catalogue says that the name means another file', async (t) => {
  const s = await startGateway(t);
  const [old, young] = [randomBytes('old', 3000), randomBytes('young', 3000)];
  const path = await signed(s, 'pool/a.deb', old);
  for (let n = 0; n < 3; n++) t.ok((await s.get(path)).body.equals(old));
  await signed(s, 'pool/a.deb', young);
  t.ok((await s.get(path)).body.equals(young));
  t.ok((await s.get(path)).body.equals(young));
});

t.test('CONNECT and Upgrade do not get into the middle of an answer', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('middle', 2 * MIB);
  await s.publish('a', data);
  s.web.rule('/a', { delayMs: 200 });
  const get = requestText('GET', `/${s.web.host}/a`, s.host);
  const [first, ...more] = await exchange(
    s.target,
    `${get}CONNECT ${s.web.host} HTTP/1.1\r\nHost: ${s.web.host}\r\n\r\n`,
    { answers: 2 },
  );
  t.ok(more.length === 0 && (first === undefined || !first.complete || first.body.equals(data)));
  const upgrade = requestText('GET', `/${s.web.host}/a`, s.host, ['Connection: upgrade', 'Upgrade: h2c']);
  const answers = await exchange(s.target, get + upgrade, { answers: 2 });
  t.ok(answers.length === 2 && answers.every(({ body }) => body.equals(data)), 'an upgrade is not taken up');
});

t.test('tunnels lead to allowed hosts and ports', async (t) => {
  const s = await startGateway(t);
  const echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  t.teardown(() => echo.close());
  const { port } = echo.address() as AddressInfo;
  const ask = async (authority: string) =>
    (await exchange(s.target, `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`))[0];
  isError(t, await ask('evil.example:443'), 403, 'HOST_NOT_ALLOWED');
  isError(t, await ask(`127.0.0.1:${port}`), 403, 'HOST_NOT_ALLOWED', 'a port that is not for tunnels');
  isError(t, await ask('127.0.0.1'), 400, 'BAD_TARGET');
  isError(t, await ask('127.0.0.1:443'), 503, 'MIRROR_UNREACHABLE', 'nobody listens there');
});

t.test('a stop lets answers under way come to their end, and idle connections go', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('stop', MIB);
  await s.publish('a', data);
  s.web.rule('/a', { rate: 3 * MIB });
  const idle: Socket = openSocket(s.target);
  await new Promise((resolve) => idle.once('connect', resolve));
  const [hello] = await exchange(s.target, requestText('GET', '/healthz', s.host));
  t.equal(hello?.status, 200);
  idle.write(requestText('GET', '/healthz', s.host));
  await new Promise((resolve) => idle.once('data', resolve));
  const answer = s.get('a');
  await until(() => s.web.log.length > 0);
  s.listeners.stopAccepting();
  await s.gateway.idle();
  t.ok((await answer).body.equals(data));
  await until(() => idle.destroyed);
  await t.rejects(s.get('a'));
  await s.listeners.close();
});

t.test('an abort ends what is still being answered', async (t) => {
  const s = await startGateway(t);
  await s.publish('a', randomBytes('abort', MIB));
  s.web.rule('/a', { stallAt: MIB / 2 });
  const answer = s.get('a');
  await until(async () => ((await s.transfers.ref.ask('status')).transfers[0]?.received ?? 0) > 0);
  s.gateway.abort();
  t.notOk((await answer.catch(() => undefined))?.complete);
  await s.gateway.idle();
});

t.test('a cached file that is damaged on disk is fetched again before anything is said', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('damage', 400_000);
  const path = await signed(s, 'pool/a.deb', data);
  await s.get(path);
  await until(async () => (await s.store.ref.ask('find', hashOf(data))) !== undefined);
  const { path: file = '' } = (await s.store.ref.ask('find', hashOf(data))) ?? {};
  for (const damage of [
    () => truncate(file, 1000),
    () => writeFile(file, Buffer.alloc(500_000)),
    () => truncate(file, 0),
  ]) {
    await damage();
    t.match(await s.get(path), { status: 200, complete: true, body: data });
    await until(async () => (await s.store.ref.ask('find', hashOf(data)))?.size === data.length);
  }
});
