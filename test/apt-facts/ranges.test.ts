import t from 'tap';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { skipWithoutApt, until } from '../support/process.ts';
import { AnswerParser, exchange, openSocket, requestText } from '../support/raw-http.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { sha256 } from '../support/random.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt;
const small = Array.from({ length: 12 }, (_, n) => `small${n}`);
const fresh = Array.from({ length: 8 }, (_, n) => `fresh${n}`);
const state = {
  add: [
    ...small.map((name) => ({ name, size: 3000 })),
    ...fresh.map((name) => ({ name, size: 600_000 })),
    { name: 'large', size: 6_000_000 },
  ],
};

t.test('answers from one daemon', { skip }, async (t) => {
  const scene = await Scene.start(t, { state });
  const { archive, mirror, daemon } = scene;
  await scene.adopt();
  const content = (name: string): Buffer => archive.read(archive.file(name).path);
  /** A file that no test has asked for yet. */
  const unused = [...fresh];
  const take = (): string => unused.shift() ?? 'none left';

  await t.test('Range, If-Range: a cached file is given in parts only to who has the same file', async (t) => {
    const { path, size } = archive.file('small0');
    const whole = await scene.get(path);
    t.ok(isWhole(whole, archive.file('small0')));
    t.equal(whole.headers['accept-ranges'], 'bytes');
    const etag = whole.headers['etag'] ?? 'no ETag';
    const cases: [string[], string][] = [
      [['Range: bytes=100-'], `100-${size - 1}`],
      [['Range: bytes=0-0'], '0-0'],
      [['Range: bytes=-50'], `${size - 50}-${size - 1}`],
      [['Range: bytes=10-999999999'], `10-${size - 1}`],
      [['Range: bytes=100-', `If-Range: ${etag}`], `100-${size - 1}`],
    ];
    for (const [headers, range] of cases) {
      const part = await scene.get(path, headers);
      t.equal(part.status, 206, headers.join());
      t.equal(part.headers['content-range'], `bytes ${range}/${size}`);
      const [first = 0, last = 0] = range.split('-').map(Number);
      t.ok(part.body.equals(content('small0').subarray(first, last + 1)));
    }
    for (const validator of ['"another"', 'Mon, 01 Jan 2001 00:00:00 GMT', `W/${etag}`]) {
      const full = await scene.get(path, ['Range: bytes=100-', `If-Range: ${validator}`]);
      t.ok(isWhole(full, archive.file('small0')), validator);
    }
    const beyond = await scene.get(path, [`Range: bytes=${size}-`]);
    t.match(beyond, { status: 416, headers: { 'content-range': `bytes */${size}` } });
    t.ok(beyond.body.length > 0);
    for (const nonsense of ['bytes=5-2', 'bytes=a-b', 'lines=1-2', 'bytes=']) {
      const answer = await scene.get(path, [`Range: ${nonsense}`]);
      t.ok(isWhole(answer, archive.file('small0')), `${nonsense} is ignored`);
    }
  });

  await t.test('Range, If-Range: a range of a file that is not there yet', async (t) => {
    const name = take();
    const { path, size } = archive.file(name);
    const part = await scene.get(path, ['Range: bytes=200000-399999']);
    t.equal(part.status, 206);
    t.equal(part.headers['content-range'], `bytes 200000-399999/${size}`);
    t.ok(part.body.equals(content(name).subarray(200_000, 400_000)));
    t.ok(isWhole(await scene.get(path), archive.file(name)));
  });

  await t.test('Range, If-Range: a 206 from the mirror with a wrong start or total is discarded', async (t) => {
    for (const contentRange of ['bytes 5-10/600000', 'bytes 0-99999999/100000000', 'nonsense']) {
      const name = take();
      const { path } = archive.file(name);
      // A transfer that breaks makes the daemon resume, and the answer to that is what is wrong.
      mirror.rule(archive.url(path), { contentRange }, 3);
      mirror.rule(archive.url(path), { truncateAt: 100_000 }, 1);
      const answer = await scene.get(path);
      t.notOk(answer.complete && answer.status === 200 && sha256(answer.body) !== archive.file(name).sha256);
      await until('the right file is served in the end', async () =>
        isWhole(await scene.get(path), archive.file(name)),
      );
    }
  });

  await t.test('Range, If-Range: APT resumes a file that it has half of', async (t) => {
    for (const form of ['prefix', 'proxy'] as const) {
      const apt = scene.apt(form);
      t.equal((await apt.update()).code, 0);
      const whole = await scene.get(archive.file('small1').path);
      const partial = join(apt.root, 'cache/archives/partial/small1_1.0-1_amd64.deb');
      mkdirSync(dirname(partial), { recursive: true });
      writeFileSync(partial, content('small1').subarray(0, 2000));
      const modified = new Date(whole.headers['last-modified'] ?? 0);
      utimesSync(partial, modified, modified);
      const got = await apt.installDownloadOnly('small1');
      t.same(downloaded(got), hashesOf(archive, 'small1'), got.output);
    }
  });

  await t.test('pipelining: ten requests are worked on at once and answered in order', async (t) => {
    const names = small.slice(2, 12);
    let release = (): void => undefined;
    const hold = new Promise<void>((resolve) => (release = resolve));
    const [slow = ''] = names;
    mirror.rule(archive.url(archive.file(slow).path), { hold }, 1);
    const path = (name: string): string => `/${mirror.host}${archive.url(archive.file(name).path)}`;
    const bytes = names.map((name) => requestText('GET', path(name), mirror.host)).join('');
    const exchanged = exchange(daemon.target, bytes, { answers: names.length });
    await until('the other nine are fetched while the first waits', () =>
      names.slice(1).every((name) => mirror.copies(archive.url(archive.file(name).path)) === 1),
    );
    release();
    const answers = await exchanged;
    t.same(
      answers.map(({ body }) => sha256(body)),
      names.map((name) => archive.file(name).sha256),
    );
  });

  await t.test('pipelining: errors, HEAD and ranges keep their place', async (t) => {
    const path = (name: string): string => `/${mirror.host}${archive.url(archive.file(name).path)}`;
    const bytes = [
      requestText('GET', `/${mirror.host}${archive.url('none.deb')}`, 'localhost'),
      requestText('HEAD', path('small2'), 'localhost'),
      requestText('GET', path('small3'), 'localhost', ['Range: bytes=0-9']),
      requestText('GET', path('small4'), 'localhost'),
    ].join('');
    const answers = await exchange(daemon.target, bytes, { answers: 4, methods: ['GET', 'HEAD', 'GET', 'GET'] });
    t.same(
      answers.map(({ status }) => status),
      [404, 200, 206, 200],
    );
    t.equal(answers[1]?.headers['content-length'], String(archive.file('small2').size));
    t.ok(answers[3] !== undefined && isWhole(answers[3], archive.file('small4')));
  });

  await t.test('30 s without data: headers and bytes reach the client while the mirror is stalled', async (t) => {
    const { path, size, sha256: hash } = archive.file('large');
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    mirror.rule(archive.url(path), { stallAt: 300_000, until: released }, 1);
    const socket = openSocket(daemon.target);
    const parser = new AnswerParser();
    let received = 0;
    let head = '';
    socket.on('data', (data) => {
      received += data.length;
      if (head.length < 2000) head += data.toString('latin1');
      parser.push(data);
    });
    socket.write(requestText('GET', `/${mirror.host}${archive.url(path)}`, 'localhost'));
    await until('bytes come before the mirror has sent all', () => received > 100_000);
    t.match(head, /^HTTP\/1\.1 200 /);
    t.match(head.toLowerCase(), `content-length: ${size}\r\n`);
    release();
    await until('the rest follows', () => parser.answers.length === 1);
    socket.destroy();
    t.equal(sha256(parser.answers[0]?.body ?? Buffer.alloc(0)), hash);
  });

  await t.test('coalescing: 25 clients at once, the first leaves, one transfer serves the others', async (t) => {
    const name = take();
    const { path } = archive.file(name);
    mirror.rule(archive.url(path), { rate: 1_000_000 });
    const first = openSocket(daemon.target);
    first.write(requestText('GET', `/${mirror.host}${archive.url(path)}`, 'localhost'));
    const others = Array.from({ length: 24 }, () => scene.get(path));
    await until('the transfer is under way', () => mirror.bytes(archive.url(path)) > 50_000);
    first.destroy();
    const answers = await Promise.all(others);
    t.ok(answers.every((answer) => isWhole(answer, archive.file(name))));
    t.equal(mirror.copies(archive.url(path)), 1);
  });

  await t.test('disconnect in the middle: the transfer goes on and the next asker has it', async (t) => {
    const name = take();
    const { path } = archive.file(name);
    mirror.rule(archive.url(path), { rate: 1_000_000 });
    const client = openSocket(daemon.target);
    client.write(requestText('GET', `/${mirror.host}${archive.url(path)}`, 'localhost'));
    await until('the transfer is under way', () => mirror.bytes(archive.url(path)) > 100_000);
    client.destroy();
    const next = await scene.get(path);
    t.ok(isWhole(next, archive.file(name)));
    t.equal(mirror.copies(archive.url(path)), 1, 'nothing was fetched twice');
    await until('it is served from the cache', async () => {
      const cached = await scene.get(path);
      return isWhole(cached, archive.file(name)) && cached.headers['x-debtorrent-source'] === 'cache';
    });
    t.equal(mirror.copies(archive.url(path)), 1);
  });

  await t.test('disconnect in the middle: a transfer that nobody waits for is finished', async (t) => {
    const name = take();
    const { path } = archive.file(name);
    mirror.rule(archive.url(path), { rate: 2_000_000 });
    const client = openSocket(daemon.target);
    client.write(requestText('GET', `/${mirror.host}${archive.url(path)}`, 'localhost'));
    await until('the transfer is under way', () => mirror.bytes(archive.url(path)) > 50_000);
    client.destroy();
    await until('the mirror has sent all of it', () => mirror.copies(archive.url(path)) === 1);
    await until('it is in the cache', async () => (await daemon.status()).transfers.length === 0);
    const cached = await scene.get(path);
    t.ok(isWhole(cached, archive.file(name)));
    t.equal(cached.headers['x-debtorrent-source'], 'cache');
  });
});
