import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import t, { type Test } from 'tap';

import { systemClock } from '../../../src/core/clock.ts';
import { compileHostRules } from '../../../src/core/host-rules.ts';
import type { MirrorUrl } from '../../../src/core/ids.ts';
import { createHttpBackup, type HttpBackup } from '../../../src/actors/http-backup/http-backup.ts';
import type { RangeJob, RangeOutcome } from '../../../src/actors/source.ts';
import { until } from '../../kernel/contract.ts';
import { Mirror, type MirrorOptions } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import { makeTlsKeys } from '../../support/tls-keys.ts';
import { hashOf, temporaryDirectory } from '../fixtures/fetch-stack.ts';

t.setTimeout(600_000);

interface Scene {
  readonly backup: HttpBackup;
  readonly path: string;
  /** What the sink was told. */
  readonly told: unknown[][];
  fetch(url: string, job?: Partial<RangeJob>): Promise<RangeOutcome>;
  cancel(id: number): void;
}

let nextId = 1;

async function scene(
  t: Test,
  options: { allow?: string[]; connections?: number; ca?: string; date?: () => number; stallMs?: number } = {},
): Promise<Scene> {
  const path = join(await temporaryDirectory(t), 'partial');
  await writeFile(path, '');
  const told: unknown[][] = [];
  const { ca } = options;
  const backup = createHttpBackup({
    rules: compileHostRules(options.allow ?? ['127.0.0.1']),
    connections: options.connections ?? 2,
    timeouts: { connectMs: 1000, headersMs: 1000, stallMs: options.stallMs ?? 1000, againMs: 1000 },
    userAgent: 'test',
    sink: {
      tell: (...message) => {
        told.push(message);
        return true;
      },
    },
    ca: ca === undefined ? undefined : () => [ca],
    now: systemClock.now,
    date: options.date ?? systemClock.date,
  });
  t.teardown(() => backup.stop());
  return {
    backup,
    path,
    told,
    fetch: async (url, job = {}) =>
      backup.behaviour.fetch({ id: nextId++, url: url as MirrorUrl, path, start: 0, maxSize: 1e8, ...job }),
    cancel: (id) => void backup.behaviour.cancel(id),
  };
}

async function startMirror(t: Test, options: Partial<MirrorOptions> = {}): Promise<{ web: Mirror; files: string }> {
  const files = await temporaryDirectory(t);
  const web = await Mirror.start({ root: files, ...options });
  t.teardown(() => web.close());
  return { web, files };
}

/** A server that does with each connection what it is told, with the sockets that are open. */
async function rawServer(
  t: Test,
  serve: (socket: Socket, count: number) => void,
): Promise<{ url: string; open: Set<Socket>; peak(): number }> {
  const open = new Set<Socket>();
  let count = 0;
  let peak = 0;
  const server: Server = createServer((socket) => {
    open.add(socket);
    peak = Math.max(peak, open.size);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    serve(socket, ++count);
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open, peak: () => peak };
}

const reply = (body: string, ...headers: string[]) =>
  ['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n');

/** The beginning of an answer whose body ends never. */
const endless = (status: string, ...headers: string[]) =>
  [`HTTP/1.1 ${status}`, 'Content-Length: 100', ...headers, '', 'abc'].join('\r\n');

t.test('a whole file is written, hashed on the way and reported', async (t) => {
  const s = await scene(t);
  const { web, files } = await startMirror(t);
  const data = randomBytes('whole', 3_000_000);
  await writeFile(join(files, 'a'), data);
  t.match(await s.fetch(`${web.url}/a`), {
    kind: 'done',
    end: data.length,
    sha256: hashOf(data),
    info: { size: data.length },
  });
  t.ok((await readFile(s.path)).equals(data));
  t.equal(s.told[0]?.[0], 'started');
  const wrote = s.told.filter(([kind]) => kind === 'wrote').map(([, , start, end]) => [start, end] as [number, number]);
  t.ok(
    wrote.every(([start], n) => start === (wrote[n - 1]?.[1] ?? 0)),
    'in order and without gaps',
  );
  t.equal(wrote.at(-1)?.[1], data.length);
  const figures = { host: '127.0.0.1', bytes: data.length, errors: 0, failing: false, last_error: null };
  t.strictSame(s.backup.behaviour.stats(), [figures]);
});

t.test('a mirror fails until something good comes, or for two minutes', async (t) => {
  let date = 1_000_000;
  const s = await scene(t, { date: () => date });
  const { web, files } = await startMirror(t);
  const failing = async () => (await s.backup.behaviour.stats())[0]?.failing;
  await writeFile(join(files, 'a'), randomBytes('a', 100_000));
  await writeFile(join(files, 'slow'), randomBytes('slow', 300_000));
  web.rule('/broken', { status: 500 });
  const broken = async () => t.match(await s.fetch(`${web.url}/broken`), { kind: 'failed', code: 'MIRROR_ERROR' });

  await broken();
  t.equal(await failing(), true);
  date += 119_000;
  t.equal(await failing(), true);
  date += 2000;
  t.equal(await failing(), false, 'nobody has asked it since');

  await broken();
  t.equal(await failing(), true);
  await s.fetch(`${web.url}/a`);
  t.equal(await failing(), false, 'it has answered since');

  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => (release = resolve));
  web.rule('/slow', { stallAt: 200_000, until: held });
  const slow = s.fetch(`${web.url}/slow`);
  await until(() => web.bytes('/slow') >= 200_000);
  await broken();
  release();
  await slow;
  t.equal(await failing(), false, 'what it was sending meanwhile goes on');
});

t.test('a range is written where it belongs, and nothing beside it', async (t) => {
  const s = await scene(t);
  const { web, files } = await startMirror(t);
  const data = randomBytes('range', 1_000_000);
  await writeFile(join(files, 'a'), data);
  await writeFile(s.path, Buffer.alloc(1_000_000));
  t.match(await s.fetch(`${web.url}/a`, { start: 100_000, end: 900_000, size: 1_000_000 }), {
    kind: 'done',
    end: 900_000,
  });
  const expected = Buffer.alloc(1_000_000);
  data.copy(expected, 100_000, 100_000, 900_000);
  t.ok((await readFile(s.path)).equals(expected));
});

t.test('each way in which a mirror breaks is an outcome', async (t) => {
  const s = await scene(t);
  const { web, files } = await startMirror(t);
  await writeFile(join(files, 'a'), randomBytes('ways', 400_000));
  for (const [what, fault, code] of [
    ['cut short', { truncateAt: 200_000 }, 'MIRROR_TRUNCATED'],
    ['reset', { resetAt: 200_000 }, 'MIRROR_TRUNCATED'],
    ['reset at once', { reset: true }, 'MIRROR_TRUNCATED'],
    ['stalls', { stallAt: 200_000 }, 'MIRROR_TIMEOUT'],
    ['says nothing', { hold: new Promise(() => undefined) }, 'MIRROR_TIMEOUT'],
    ['cut in chunks', { chunked: 'only', truncateAt: 100 }, 'MIRROR_TRUNCATED'],
    ['cut with both lengths', { chunked: 'with-length', truncateAt: 100 }, 'MIRROR_TRUNCATED'],
    ['more than it said', { closeDelimited: true, contentLength: '5', headers: { 'content-length': '5' } }, undefined],
    ['another protocol', { raw: 'SSH-2.0-x\r\n\r\n' }, 'MIRROR_PROTOCOL'],
    [
      'two lengths',
      { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!' },
      'MIRROR_PROTOCOL',
    ],
    ['a 404', { status: 404 }, 'NOT_FOUND'],
    ['a 503', { status: 503 }, 'MIRROR_ERROR'],
  ] as const) {
    const stop = web.rule('/a', fault);
    const outcome = await s.fetch(`${web.url}/a`);
    if (code !== undefined) t.match(outcome, { kind: 'failed', code }, what);
    stop();
    web.dropConnections();
  }
  t.match(await s.fetch(`${web.url}/a`), { kind: 'done', end: 400_000 }, 'and then it works');
});

t.test('less than the range or the index says is truncated, and ends nothing else', async (t) => {
  const s = await scene(t);
  const { url } = await rawServer(t, (socket) =>
    socket.on('data', () => socket.end(reply('hello', 'Connection: close').replace('Content-Length: 5\r\n', ''))),
  );
  t.match(await s.fetch(`${url}/a`, { size: 10 }), { kind: 'failed', code: 'MIRROR_TRUNCATED', transient: true });
  t.match(await s.fetch(`${url}/a`, { size: 3 }), { kind: 'failed', code: 'HASH_MISMATCH' });
  t.match(await s.fetch(`${url}/a`, { maxSize: 3 }), { kind: 'failed', code: 'TOO_LARGE' });
});

t.test('an answer with both lengths is taken if they agree', async (t) => {
  const s = await scene(t);
  const body = (length: number, ...more: string[]) =>
    [
      'HTTP/1.1 200 OK',
      `Content-Length: ${length}`,
      'Transfer-Encoding: chunked',
      ...more,
      '',
      '5\r\nhello\r\n0\r\n\r\n',
    ].join('\r\n');
  let answer = body(5);
  const { url } = await rawServer(t, (socket) => socket.on('data', () => socket.end(answer)));
  t.match(await s.fetch(`${url}/a`), { kind: 'done', end: 5, sha256: hashOf(Buffer.from('hello')) });
  t.match(await s.fetch(`${url}/a`), { kind: 'done', end: 5 }, 'and again');
  for (const [what, bad] of [
    ['a length that lies', body(6)],
    ['two codings', body(5, 'Transfer-Encoding: chunked')],
    ['another coding', body(5).replace(': chunked', ': gzip, chunked')],
  ] as const) {
    answer = bad;
    t.match(await s.fetch(`${url}/a`), { kind: 'failed', code: /MIRROR_(TRUNCATED|PROTOCOL)/ }, what);
  }
});

t.test('gzip on the fly is undone; what is no gzip, or too much of it, is refused', async (t) => {
  const s = await scene(t);
  const data = Buffer.alloc(5_000_000, 'abc');
  let body = gzipSync(data);
  const { url } = await rawServer(t, (socket) =>
    socket.on('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.end(body);
    }),
  );
  t.match(await s.fetch(`${url}/a`), { kind: 'done', end: data.length, sha256: hashOf(data) });
  t.match(await s.fetch(`${url}/a`, { size: data.length }), { kind: 'done', end: data.length });
  t.match(
    await s.fetch(`${url}/a.gz`),
    { kind: 'done', end: body.length, sha256: hashOf(body) },
    'by its name it is the file',
  );
  t.match(await s.fetch(`${url}/a`, { maxSize: 1_000_000 }), { kind: 'failed', code: 'TOO_LARGE' });
  t.match(await s.fetch(`${url}/a`, { size: 1_000_000 }), { kind: 'failed', code: 'HASH_MISMATCH' });
  body = body.subarray(0, body.length - 10);
  t.match(await s.fetch(`${url}/a`), { kind: 'failed', code: 'MIRROR_PROTOCOL' }, 'cut');
  body = Buffer.from('this is no gzip');
  t.match(await s.fetch(`${url}/a`), { kind: 'failed', code: 'MIRROR_PROTOCOL' });
});

t.test('redirects are followed inside, each hop checked', async (t) => {
  const { web, files } = await startMirror(t);
  const s = await scene(t, { allow: [web.host, 'ftp.us.debian.org'], connections: 1 });
  const elsewhere = await startMirror(t);
  await writeFile(join(files, 'a'), 'here');
  await writeFile(join(elsewhere.files, 'a'), 'there');
  const redirect = async (location: string) => {
    web.clearRules();
    web.rule('/r', { redirect: location });
    return s.fetch(`${web.url}/r`);
  };
  t.match(await redirect('/a'), { kind: 'done', end: 4 });
  t.match(await redirect(`${web.url}/a`), { kind: 'done', end: 4 });
  t.equal(web.connections, 1, 'on one connection');
  for (const [what, location] of [
    ['a loop', '/r'],
    ['another host', 'http://evil.example/a'],
    ['another port', `${elsewhere.web.url}/a`],
    ['link-local', 'http://169.254.169.254/latest'],
    ['a password', `http://u:p@${web.host}/a`],
    ['another scheme', 'file:///etc/passwd'],
    ['a control character', '/a%00b'],
  ] as const) {
    t.match(await redirect(location), { kind: 'failed', code: 'REDIRECT_REFUSED', transient: false }, what);
  }
  t.match(await redirect('http://'), { kind: 'failed', code: 'MIRROR_PROTOCOL' });
  t.match(await redirect('/r/'), { kind: 'failed', code: 'DIRECTORY', transient: false });
  web.rule('/d/', { redirect: '/d//' });
  await writeFile(join(files, 'd'), 'listing');
  web.rule('/d//', { redirect: '/d' });
  t.match(await s.fetch(`${web.url}/d/`), { kind: 'done', end: 7 }, 'a directory that has its slash');
  t.equal(elsewhere.web.connections, 0);
});

t.test('https is not left for http', async (t) => {
  const tls = makeTlsKeys();
  t.teardown(() => tls.close());
  const { web, files } = await startMirror(t, { tls });
  const plain = await startMirror(t);
  await writeFile(join(files, 'a'), 'safe');
  const s = await scene(t, { ca: tls.cert });
  t.match(await s.fetch(`${web.url}/a`), { kind: 'done', end: 4 });
  web.rule('/r', { redirect: `${plain.web.url}/a` });
  t.match(await s.fetch(`${web.url}/r`), { kind: 'failed', code: 'REDIRECT_REFUSED' });
  t.equal(plain.web.connections, 0);
  t.match(
    await (await scene(t)).fetch(`${web.url}/a`),
    { kind: 'failed', code: 'MIRROR_UNREACHABLE' },
    'who is not trusted',
  );
});

t.test('names that lead to this machine are refused unless they are named', async (t) => {
  const { web, files } = await startMirror(t);
  await writeFile(join(files, 'a'), 'x');
  for (const [allow, host, code] of [
    [['*'], 'localhost', 'ADDRESS_NOT_ALLOWED'],
    [['*'], '127.0.0.1', 'ADDRESS_NOT_ALLOWED'],
    [['*'], '[::1]', 'ADDRESS_NOT_ALLOWED'],
    [['*.debian.org'], 'localhost', 'HOST_NOT_ALLOWED'],
  ] as const) {
    const s = await scene(t, { allow: [...allow] });
    t.match(await s.fetch(`http://${host}:${web.port}/a`), { kind: 'failed', code, transient: false }, host);
  }
  t.equal(web.connections, 0);
  const s = await scene(t, { allow: ['localhost'] });
  t.match(await s.fetch(`http://localhost:${web.port}/a`), { kind: 'done' });
});

t.test('there are never more connections than were allowed, and what waits is served in turn', async (t) => {
  const s = await scene(t, { connections: 3 });
  const server = await rawServer(t, (socket) => socket.on('data', () => setTimeout(() => socket.write(reply('x')), 5)));
  const outcomes = await Promise.all(Array.from({ length: 60 }, (_, n) => s.fetch(`${server.url}/${n}`)));
  t.ok(outcomes.every(({ kind }) => kind === 'done'));
  t.equal(server.peak(), 3);
});

t.test('connections outlive errors and answers that were not wanted', async (t) => {
  const s = await scene(t, { connections: 1 });
  const { web, files } = await startMirror(t);
  await writeFile(join(files, 'a'), 'x'.repeat(1000));
  await s.fetch(`${web.url}/none`);
  await s.fetch(`${web.url}/a`, { start: 5000, ifRange: '"x"' });
  web.rule('/b', { status: 503 });
  await s.fetch(`${web.url}/b`);
  await s.fetch(`${web.url}/a`, { revalidate: { lastModified: new Date(Date.now() + 60_000).toUTCString() } });
  t.match(await s.fetch(`${web.url}/a`), { kind: 'done' });
  t.equal(web.connections, 1);
});

t.test('a kept connection that the mirror closes is replaced without a failure', async (t) => {
  const s = await scene(t, { connections: 1 });
  for (const close of ['end', 'reset'] as const) {
    // Answers once, and closes when the next request comes: the moment at which nobody can know.
    const server = await rawServer(t, (socket) => {
      let requests = 0;
      socket.on('data', () => {
        if (requests++ === 0) socket.write(reply('x'));
        else if (close === 'end') socket.end();
        else socket.resetAndDestroy();
      });
    });
    for (let n = 0; n < 6; n++) t.match(await s.fetch(`${server.url}/${n}`), { kind: 'done' }, `${close} ${n}`);
  }
  const never = await rawServer(t, (socket) => socket.on('data', () => socket.end()));
  t.match(await s.fetch(`${never.url}/x`), { kind: 'failed', code: 'MIRROR_TRUNCATED' }, 'but not for ever');
});

t.test('a job can be cancelled while it waits and while it runs; its connection is closed', async (t) => {
  const s = await scene(t, { connections: 1 });
  const server = await rawServer(t, (socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome'));
  });
  const running = s.fetch(`${server.url}/1`, { id: 7001 });
  const waiting = s.fetch(`${server.url}/2`, { id: 7002 });
  await until(() => server.open.size === 1);
  s.cancel(7002);
  t.match(await waiting, { kind: 'failed', code: 'CANCELLED' });
  await until(() => s.told.some(([kind]) => kind === 'started'));
  s.cancel(7001);
  t.match(await running, { kind: 'failed', code: 'CANCELLED' });
  await until(() => server.open.size === 0);
  s.cancel(7001);
  s.cancel(123456);
  t.match(s.backup.behaviour.stats(), [{ errors: 0 }]);
});

t.test('the queue of a mirror has a bound', async (t) => {
  const s = await scene(t, { connections: 1 });
  const server = await rawServer(t, () => undefined);
  const first = Array.from({ length: 4097 }, (_, n) => s.fetch(`${server.url}/${n}`, { id: 100_000 + n }));
  t.match(await s.fetch(`${server.url}/x`), { kind: 'failed', code: 'OVERLOADED', transient: true });
  for (let n = 4096; n >= 0; n--) s.cancel(100_000 + n);
  t.ok((await Promise.all(first)).every((outcome) => outcome.kind === 'failed' && outcome.code === 'CANCELLED'));
});

t.test('a partial file that cannot be written is a fault of the store', async (t) => {
  const s = await scene(t);
  const { web, files } = await startMirror(t);
  for (const size of [1000, 3_000_000]) {
    await writeFile(join(files, 'a'), Buffer.alloc(size));
    t.match(await s.fetch(`${web.url}/a`, { path: join(s.path, 'not', 'there') }), {
      kind: 'failed',
      code: 'STORE_IO',
    });
    t.match(await s.fetch(`${web.url}/a`, { path: '/dev/full' }), { kind: 'failed', code: 'STORE_FULL' });
  }
});

t.test('headers alone come without a body', async (t) => {
  const s = await scene(t);
  const { web, files } = await startMirror(t);
  await writeFile(join(files, 'a'), Buffer.alloc(5000));
  t.match(await s.fetch(`${web.url}/a`, { headersOnly: true, path: '' }), {
    kind: 'done',
    end: 0,
    info: { size: 5000 },
  });
  t.match(await s.fetch(`${web.url}/b`, { headersOnly: true, path: '' }), { kind: 'failed', code: 'NOT_FOUND' });
  t.equal(web.bytes(/./), 0);
});

t.test('a stop ends what runs and what waits, and leaves no connection', async (t) => {
  const s = await scene(t, { connections: 1 });
  const server = await rawServer(t, () => undefined);
  const jobs = [1, 2, 3].map((n) => s.fetch(`${server.url}/${n}`));
  await until(() => server.open.size === 1);
  await s.backup.stop();
  for (const job of jobs) t.match(await job, { kind: 'failed', code: /CANCELLED|STOPPING/ });
  await until(() => server.open.size === 0);
  t.match(await s.fetch(`${server.url}/4`), { kind: 'failed', code: 'STOPPING' });
});

t.test('many mirrors do not mean many connections for ever', async (t) => {
  const s = await scene(t, { allow: ['127.*'] });
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write(reply('x')));
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  for (let n = 1; n <= 200; n++) t.equal((await s.fetch(`http://127.0.1.${n}:${port}/x`)).kind, 'done');
  await until(() => sockets.size <= 128);
});

t.test(
  'large files that take long do not keep a small one waiting, also where another mirror redirects to it',
  async (t) => {
    const s = await scene(t, { connections: 2 });
    const server = await rawServer(t, (socket) => {
      socket.on('data', (request) => {
        if (request.includes('/small')) socket.write(reply('x'));
        // A byte now and then: the mirror is slow, not silent.
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
        const drip = setInterval(() => request.includes('/small') || socket.write('x'), 200);
        socket.on('close', () => clearInterval(drip));
      });
    });
    const { web } = await startMirror(t);
    web.rule('/small', { redirect: `${server.url}/small` });
    const large = [1, 2, 3].map((n) => s.fetch(`${server.url}/large${n}`, { id: 8000 + n }));
    t.match(await s.fetch(`${server.url}/small`), { kind: 'done', end: 1 });
    t.match(await s.fetch(`${web.url}/small`), { kind: 'done', end: 1 });
    await until(() => s.told.filter(([kind]) => kind === 'started').length === 5);
    for (const n of [1, 2, 3]) s.cancel(8000 + n);
    for (const outcome of await Promise.all(large)) t.match(outcome, { kind: 'failed', code: 'CANCELLED' });
  },
);

t.test('an answer that was not wanted keeps no connection, though its body does not come', async (t) => {
  const s = await scene(t, { connections: 2, stallMs: 600_000 });
  const server = await rawServer(t, (socket) =>
    socket.on('data', (request) => {
      if (request.includes('/good')) socket.write(reply('x'));
      else if (request.includes('/moved')) socket.write(endless('302 Found', `Location: ${server.url}/good`));
      else socket.write(endless('404 Not Found'));
    }),
  );
  for (const n of [1, 2]) t.match(await s.fetch(`${server.url}/none${n}`), { kind: 'failed', code: 'NOT_FOUND' });
  t.match(await s.fetch(`${server.url}/good`), { kind: 'done' });
  const moved = await Promise.all([1, 2, 3].map((n) => s.fetch(`${server.url}/moved${n}`)));
  for (const outcome of moved) t.match(outcome, { kind: 'done', end: 1 });
});

t.test('what did not come before is waited for less long', async (t) => {
  const s = await scene(t, { stallMs: 600_000 });
  const server = await rawServer(t, (socket) =>
    socket.on('data', (request) => {
      // Both lengths are for the parser that stands in.
      const lengths = request.includes('/lenient')
        ? 'Content-Length: 9\r\nTransfer-Encoding: chunked'
        : 'Content-Length: 9';
      socket.write(`HTTP/1.1 200 OK\r\n${lengths}\r\n\r\n1\r\n`);
    }),
  );
  for (const path of ['strict', 'lenient']) {
    t.match(await s.fetch(`${server.url}/${path}`, { again: true }), { kind: 'failed', code: 'MIRROR_TIMEOUT' }, path);
  }
});

t.test('a failure says for how long nothing had come', async (t) => {
  const s = await scene(t);
  const server = await rawServer(t, (socket) =>
    socket.on('data', (request) => {
      if (request.includes('/body')) socket.write(endless('200 OK'));
      // more than what is expected, as the client may hear of what came a little later
      setTimeout(() => socket.destroy(), 900);
    }),
  );
  for (const path of ['head', 'body']) {
    const outcome = await s.fetch(`${server.url}/${path}`);
    t.equal(outcome.kind, 'failed');
    if (outcome.kind === 'failed') t.ok((outcome.silentMs ?? 0) >= 500, `${path}: ${outcome.silentMs}`);
  }
});

t.test('interim answers and heads without an end are silence', async (t) => {
  const s = await scene(t, { stallMs: 600_000 });
  const server = await rawServer(t, (socket) =>
    socket.on('data', (request) => {
      if (request.includes('/lenient')) {
        socket.end(reply('1\r\nx\r\n0\r\n\r\n', 'Transfer-Encoding: chunked').replace(/Length: \d+/, 'Length: 1'));
        return;
      }
      if (request.includes('/head')) socket.write('HTTP/1.1 200 OK\r\n');
      const more = request.includes('/head') ? 'X-A: b\r\n' : 'HTTP/1.1 103 Early Hints\r\n\r\n';
      const drip = setInterval(() => socket.write(more), 50);
      socket.on('close', () => clearInterval(drip));
    }),
  );
  const both = async (parser: string) => {
    for (const path of ['interim', 'head']) {
      const outcome = await s.fetch(`${server.url}/${path}`);
      t.match(outcome, { kind: 'failed', code: 'MIRROR_TIMEOUT', transient: true }, `${path}, ${parser}`);
    }
  };
  await both('strict');
  t.match(await s.fetch(`${server.url}/lenient`), { kind: 'done', end: 1 });
  await both('lenient');
  await until(() => server.open.size === 0);
});

t.test('what goes wrong after a redirect is the fault of the mirror where it led', async (t) => {
  const s = await scene(t, { allow: ['127.0.0.1', 'localhost'] });
  const [front, back] = [await startMirror(t), await startMirror(t)];
  const asked = `http://localhost:${front.web.port}/a`;
  const figures = async () => Object.fromEntries((await s.backup.behaviour.stats()).map((each) => [each.host, each]));

  const stop = front.web.rule('/a', { status: 500 });
  t.match(await s.fetch(asked), { kind: 'failed', code: 'MIRROR_ERROR' });
  t.match(await figures(), { localhost: { errors: 1, failing: true } });
  stop();

  front.web.rule('/a', { redirect: `${back.web.url}/b` });
  back.web.rule('/b', { status: 500 });
  const message = `redirected to ${back.web.url}/b: the mirror answered 500`;
  t.match(await s.fetch(asked), { kind: 'failed', code: 'MIRROR_ERROR', message });
  t.match(await figures(), { localhost: { errors: 1, failing: false }, '127.0.0.1': { errors: 1, failing: true } });

  back.web.clearRules();
  await writeFile(join(back.files, 'b'), 'there');
  t.match(await s.fetch(asked), { kind: 'done', end: 5 });
  t.equal(s.told.find(([kind]) => kind === 'started')?.[3], `${back.web.url}/b`);
  t.match(await figures(), { localhost: { errors: 1, failing: false }, '127.0.0.1': { errors: 1, failing: false } });

  front.web.clearRules();
  front.web.rule('/a', { redirect: 'http://elsewhere.example/a' });
  t.match(await s.fetch(asked), { kind: 'failed', code: 'REDIRECT_REFUSED' });
  t.match(await figures(), { localhost: { errors: 2 } }, 'but not where nobody was asked');
});

t.test('the body of an error, however late, is nothing good', async (t) => {
  const s = await scene(t);
  let send = () => undefined as void;
  const server = await rawServer(t, (socket) =>
    socket.on('data', () => {
      socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\n');
      send = () => void socket.write('0123456789');
    }),
  );
  t.match(await s.fetch(`${server.url}/a`), { kind: 'failed', code: 'MIRROR_ERROR' });
  send();
  await until(async () => (await s.backup.behaviour.stats())[0]?.bytes === 10);
  t.match(await s.backup.behaviour.stats(), [{ errors: 1, failing: true }]);
});

t.test('a mirror that serves one at a time and refuses others gives all files', async (t) => {
  const half = randomBytes('half', 20_000);
  let [busy, refused] = [false, 0];
  const server = createHttpServer((_, res) => {
    if (busy) {
      refused += 1;
      res.writeHead(503, { 'content-length': 0 }).end();
      return;
    }
    busy = true;
    res.writeHead(200, { 'content-length': 2 * half.length }).write(half);
    setTimeout(() => {
      busy = false;
      res.end(half);
    }, 200);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const s = await scene(t, { connections: 4 });
  const first = s.fetch(`${url}/a`);
  await until(() => s.told.some(([kind]) => kind === 'started'));
  const outcomes = await Promise.all([first, ...['b', 'c', 'd', 'e'].map((name) => s.fetch(`${url}/${name}`))]);
  for (const { kind } of outcomes) t.equal(kind, 'done');
  t.ok(refused > 0);
});

t.test('a mirror that answers 503 for one file gives the others at once', async (t) => {
  const open = new Set<ServerResponse>();
  const server = createHttpServer((req, res) => {
    if (req.url === '/bad') {
      res.writeHead(503, { 'content-length': 0 }).end();
      return;
    }
    open.add(res);
    res.writeHead(200, { 'content-length': 2 }).write('a');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const s = await scene(t, { connections: 4 });
  const first = s.fetch(`${url}/a`);
  await until(() => s.told.some(([kind]) => kind === 'started'));
  const bad = s.fetch(`${url}/bad`);
  const others = ['c', 'd', 'e'].map((name) => s.fetch(`${url}/${name}`));
  await until(() => open.size === 4);
  for (const res of [...open].slice(1)) res.end('b');
  t.match(await bad, { kind: 'failed', code: 'MIRROR_ERROR' }, 'it does not wait for all others');
  for (const res of open) if (!res.writableEnded) res.end('b');
  for (const { kind } of await Promise.all([first, ...others])) t.equal(kind, 'done');
});

t.test('the time for which a file has to wait for others is not the time that its mirror takes', async (t) => {
  const sending: ServerResponse[] = [];
  let refused = 0;
  const server = createHttpServer((_, res) => {
    if (sending.some(({ writableEnded }) => !writableEnded)) {
      refused += 1;
      res.writeHead(503, { 'content-length': 0 }).end();
      return;
    }
    sending.push(res);
    res.writeHead(200, { 'content-length': 2 }).write('a');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const s = await scene(t, { stallMs: 60_000 });
  const first = s.fetch(`${url}/a`);
  await until(() => s.told.some(([kind]) => kind === 'started'));
  const second = s.fetch(`${url}/b`, { others: true });
  await until(() => refused === 1);
  // longer than a mirror may take where another one can be asked
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  sending[0]?.end('b');
  t.match(await first, { kind: 'done' });
  await Promise.race([second, until(() => sending.length === 2)]);
  sending[1]?.end('b');
  t.match(await second, { kind: 'done', end: 2 });
});
