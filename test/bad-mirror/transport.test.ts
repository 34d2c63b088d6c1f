/** Mirrors that fail as HTTP servers: whatever they do, no wrong byte is passed on as whole, and the daemon lives. */
import t from 'tap';
import { Mirror } from '../support/mirror.ts';
import type { Fault } from '../support/mirror-fault.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { Scene, aptGetsEverything, isWhole } from '../support/scene.ts';
import type { RawAnswer } from '../support/raw-http.ts';

t.setTimeout(600_000);

const names = Array.from({ length: 40 }, (_, n) => `pkg${n}`);
const state = {
  add: [...names.map((name) => ({ name, size: 80_000 })), { name: 'large', size: 9_000_000 }, { name: 'silent' }],
};

t.test('the daemon in front of a bad mirror', { skip: skipWithoutApt }, async (t) => {
  const root = t.testdir();
  const silent = await Mirror.start({ root });
  const scene = await Scene.start(t, { state, archive: { root }, daemon: { mirrors: [silent.host] } });
  scene.later(() => silent.close());
  const { archive, mirror, daemon } = scene;
  await scene.adopt();
  // It takes as long as the daemon's patience lasts, so it is begun now and looked at in the end.
  silent.rule(/pool/, { hold: new Promise(() => undefined) });
  const unanswered = daemon.request(`/${silent.host}${archive.url(archive.file('silent').path)}`, {
    timeoutMs: 200_000,
  });
  const unused = [...names];
  const take = (): string => unused.shift() ?? 'none left';
  const url = (name: string): string => archive.url(archive.file(name).path);
  const get = (name: string): Promise<RawAnswer> => scene.get(archive.file(name).path);
  const passesAsWhole = (answer: RawAnswer): boolean => answer.status === 200 && answer.complete;
  const wholeInTheEnd = (name: string): Promise<void> =>
    until(`${name} is whole in the end`, async () => isWhole(await get(name), archive.file(name)));

  /** The file is whole or the answer is no whole one; afterwards, with the mirror right again, it is whole. */
  async function survives(t: Tap, what: string, fault: Fault, name = take()): Promise<void> {
    const stop = mirror.rule(url(name), fault);
    const answer = await get(name);
    t.ok(isWhole(answer, archive.file(name)) || !passesAsWhole(answer), what);
    if (answer.status >= 400) t.ok(answer.headers['x-debtorrent-error'], `${what}: ${answer.status}`);
    stop();
    await wholeInTheEnd(name);
  }

  await t.test('a mirror that is down is a 503 or 504, what is cached is served, and it recovers', async (t) => {
    const [cached, other] = [take(), take()];
    await wholeInTheEnd(cached);
    await mirror.down();
    const answer = await get(other);
    t.ok([503, 504].includes(answer.status), String(answer.status));
    t.ok(answer.headers['retry-after']);
    t.ok(isWhole(await get(cached), archive.file(cached)));
    await mirror.up();
    await wholeInTheEnd(other);
    t.pass();
  });

  await t.test('a slow mirror does not hold up other files', async (t) => {
    const slow = take();
    mirror.rule(url(slow), { rate: 40_000 });
    const waiting = get(slow);
    await until('it is under way', () => mirror.bytes(url(slow)) > 0);
    const others = await Promise.all(
      Array.from({ length: 5 }, () => take()).map(async (name) => ({ name, answer: await get(name) })),
    );
    t.ok(others.every(({ name, answer }) => isWhole(answer, archive.file(name))));
    t.ok(isWhole(await waiting, archive.file(slow)), 'and the slow one comes as well');
  });

  await t.test('a mirror that truncates', async (t) => {
    for (const at of [0, 1, 40_000, 79_999]) await survives(t, `at ${at}`, { truncateAt: at });
    await survives(t, 'large', { truncateAt: 1_000_000 }, 'large');
  });

  await t.test('a mirror that sends 200 for a range', async (t) => {
    archive.publish({ add: [{ name: 'large2', size: 9_000_000 }] });
    await scene.adopt();
    mirror.rule(url('large2'), { ignoreRange: true });
    t.ok(isWhole(await get('large2'), archive.file('large2')));
    const name = take();
    mirror.rule(url(name), { ignoreRange: true });
    mirror.rule(url(name), { ignoreRange: true, truncateAt: 30_000 }, 1);
    await wholeInTheEnd(name);
    const ranged = take();
    mirror.rule(url(ranged), { ignoreRange: true });
    const { path, size } = archive.file(ranged);
    const answer = await scene.get(path, ['Range: bytes=1000-']);
    const content = archive.read(path);
    t.ok(
      (answer.status === 206 && answer.body.equals(content.subarray(1000, size))) ||
        isWhole(answer, archive.file(ranged)),
    );
  });

  await t.test('a mirror that sends garbage in place of the file', async (t) => {
    await survives(t, 'garbage of the same length', { garbage: true });
    await survives(t, 'garbage, shorter', { content: Buffer.alloc(1000, 'x') });
    await survives(t, 'garbage, longer', { content: Buffer.alloc(5_000_000, 'x') });
    await survives(t, 'an empty file', { content: Buffer.alloc(0) });
    await survives(t, 'a portal page', {
      content: Buffer.from('<html>log in</html>'),
      headers: { 'content-type': 'text/html' },
    });
  });

  await t.test('a mirror that sends garbage in place of HTTP', async (t) => {
    const raws: Record<string, string | Buffer> = {
      nothing: '',
      'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n',
      'binary nonsense': Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 37) % 256)),
      'half a head': 'HTTP/1.1 200 OK\r\nContent-Le',
      'no status': 'HTTP/1.1 OK\r\n\r\n',
      'status 999': 'HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n',
      'status 200, no length, no body': 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n',
      'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello',
      'an absurd length': 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello',
      'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
      'huge headers': `HTTP/1.1 200 OK\r\nX-Huge: ${'x'.repeat(1_000_000)}\r\n\r\n`,
      'bad chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n',
      'interim answers for ever': 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(2000),
      'a 304 that nobody asked for': 'HTTP/1.1 304 Not Modified\r\n\r\n',
      'a 206 that nobody asked for':
        'HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nhello',
      'a 416 that nobody asked for': 'HTTP/1.1 416 No\r\nContent-Range: bytes */5\r\nContent-Length: 0\r\n\r\n',
      'a 204': 'HTTP/1.1 204 No Content\r\n\r\n',
      'a redirect to nowhere': 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n',
      'a split header': 'HTTP/1.1 200 OK\r\nX: a\rb\nSet-Cookie: c\r\nContent-Length: 1\r\n\r\nx',
    };
    archive.publish({ add: Object.keys(raws).map((_, n) => ({ name: `raw${n}`, size: 20_000 })) });
    await scene.adopt();
    await Promise.all(
      Object.entries(raws).map(async ([what, raw], n) => {
        const stop = mirror.rule(url(`raw${n}`), { raw });
        const answer = await get(`raw${n}`);
        t.notOk(passesAsWhole(answer), `${what}: ${answer.status}`);
        stop();
      }),
    );
    for (const n of Object.keys(raws).keys()) await wholeInTheEnd(`raw${n}`);
    t.equal((await daemon.request('/healthz')).status, 200);
  });

  await t.test('a mirror that changes a file in the middle', async (t) => {
    const content = (name: string): Buffer => archive.read(archive.file(name).path);
    archive.publish({ add: [1, 2, 3].map((n) => ({ name: `changing${n}`, size: 9_000_000 })) });
    await scene.adopt();
    // Each range is of another file, which has the same size and says so by its ETag.
    let count = 0;
    const other = Buffer.alloc(content('changing1').length, 'other');
    mirror.rule((request) => request.path === url('changing1') && (count += 1) % 2 === 0, {
      content: other,
      etag: '"b"',
    });
    const first = await get('changing1');
    t.ok(isWhole(first, archive.file('changing1')) || !passesAsWhole(first), 'halves of two files never pass');
    mirror.clearRules();
    await wholeInTheEnd('changing1');

    mirror.rule(url('changing2'), { content: other.subarray(5), etag: '"c"' });
    mirror.rule(url('changing2'), { truncateAt: 500_000 }, 1);
    const second = await get('changing2');
    t.notOk(passesAsWhole(second), 'nor when it changes its size');
    mirror.clearRules();
    await wholeInTheEnd('changing2');

    archive.write('odd/unsigned.bin', Buffer.alloc(3_000_000, 'a'));
    mirror.rule(archive.url('odd/unsigned.bin'), { content: Buffer.alloc(3_000_000, 'b'), etag: '"d"' });
    mirror.rule(archive.url('odd/unsigned.bin'), { truncateAt: 1_000_000 }, 1);
    const plain = await scene.get('odd/unsigned.bin');
    const letters = new Set(plain.body.toString('latin1'));
    t.ok(letters.size <= 1 || !plain.complete, 'nor of a file that nothing signs for');
  });

  await t.test('after all that APT gets everything', async (t) => {
    mirror.clearRules();
    await aptGetsEverything(t, scene);
    t.ok(daemon.running);
  });

  await t.test('a mirror that says nothing is given up on, with an answer that APT retries', async (t) => {
    const answer = await unanswered;
    t.ok([503, 504].includes(answer.status) || (answer.status === 200 && !answer.complete), String(answer.status));
    silent.clearRules();
    await until('and asked again later', async () =>
      isWhole(await daemon.get(silent.host, archive.url(archive.file('silent').path)), archive.file('silent')),
    );
  });
});

type Tap = Parameters<Parameters<typeof t.test>[0]>[0];
