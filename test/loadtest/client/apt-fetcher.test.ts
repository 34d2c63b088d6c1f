import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { AptFetcher, type FetcherOptions, type Wanted } from '../../../scripts/loadtest/client/apt-fetcher.ts';
import { ReadBuffer } from '../../../scripts/loadtest/client/connection.ts';
import { routeTo } from '../../../scripts/loadtest/client/route.ts';
import { Tally } from '../../../scripts/loadtest/measure/tally.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes, sha256 } from '../../support/random.ts';

/** A server with files 0.deb, 1.deb, … of 1,000 bytes and more, and a client of it. */
async function scene(t: Test, files: number, options: Partial<FetcherOptions> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'dt-load-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'debian'));
  const wanted = Array.from({ length: files }, (_, i): Wanted => {
    const content = randomBytes(`file ${i}`, 1000 + i);
    writeFileSync(join(root, `debian/${i}.deb`), content);
    return { path: `${i}.deb`, kind: 'package', size: content.length, sha256: sha256(content) };
  });
  const mirror = await Mirror.start({ root });
  t.teardown(() => mirror.close());
  const tally = new Tally();
  const route = routeTo({ host: '127.0.0.1', port: mirror.port }, 'direct', mirror.host, 'debian');
  const fetcher = new AptFetcher({ route, observer: tally, into: new ReadBuffer(), retryDelayMs: 5, ...options });
  t.teardown(() => fetcher.close());
  return { mirror, tally, fetcher, wanted };
}

const paths = (mirror: Mirror): string[] => mirror.log.map(({ path }) => path.slice('/debian/'.length));

t.test('files come in order over one connection, each verified', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 30);
  const got = await fetcher.fetchAll(wanted);
  t.ok(got.every(({ result }) => result === 'ok'));
  t.same(
    paths(mirror),
    wanted.map(({ path }) => path),
  );
  t.equal(mirror.connections, 1);
  t.match(tally.counts, { fetched: 30, verified: wanted.reduce((sum, { size }) => sum + size, 0), errors: {} });
  t.equal(tally.latencies.firstByte.count, 30);
});

t.test('a wrong byte is a hash mismatch, without another try', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 3);
  mirror.rule('/debian/1.deb', { alterAt: 500 });
  t.same(
    (await fetcher.fetchAll(wanted)).map(({ result }) => result),
    ['ok', 'failed', 'ok'],
  );
  t.same(tally.counts.errors, { 'hash-mismatch': 1 });
  t.equal(mirror.requests('/debian/1.deb').length, 1);
});

t.test('a short body is kept and continued with Range and If-Range', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 3);
  mirror.rule('/debian/1.deb', { truncateAt: 400 }, 1);
  t.ok((await fetcher.fetchAll(wanted)).every(({ result }) => result === 'ok'));
  const [, resumed] = mirror.requests('/debian/1.deb');
  t.equal(resumed?.headers['range'], 'bytes=400-');
  t.equal(Number.isNaN(Date.parse(resumed?.headers['if-range'] ?? '')), false);
  t.equal(resumed?.status, 206);
  t.equal(mirror.copies('/debian/1.deb'), 1);
  t.same(tally.counts.retries, { 'short-body': 1 });
});

t.test('a file that has changed meanwhile begins anew', async (t) => {
  const { mirror, fetcher, wanted } = await scene(t, 1);
  mirror.rule('/debian/0.deb', { ignoreRange: true });
  mirror.rule('/debian/0.deb', { truncateAt: 400 }, 1);
  t.same(
    (await fetcher.fetchAll(wanted)).map(({ result }) => result),
    ['ok'],
  );
});

t.test('503 with a body is tried three times more, 404 is final, an empty 503 too', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 4);
  mirror.rule('/debian/0.deb', { status: 503 });
  mirror.rule('/debian/1.deb', { status: 404 });
  mirror.rule('/debian/2.deb', { raw: 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n' });
  t.same(
    (await fetcher.fetchAll(wanted)).map(({ result }) => result),
    ['failed', 'failed', 'failed', 'ok'],
  );
  t.same(tally.counts.errors, { 'http-404': 1, 'http-503': 1, 'http-503-empty': 1 });
  t.same(
    [0, 1, 2].map((i) => mirror.requests(`/debian/${i}.deb`).length),
    [4, 1, 1],
  );
});

t.test('Retry-After is waited for', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 1, { retryDelayMs: 3_600_000 });
  mirror.rule('/debian/0.deb', { status: 503, headers: { 'retry-after': '0' } }, 2);
  t.same(
    (await fetcher.fetchAll(wanted)).map(({ result }) => result),
    ['ok'],
  );
  t.same(tally.counts.retries, { 'http-503': 2 });
});

t.test(
  'a connection that ends without an answer is made anew at once, then after a while: eight attempts',
  async (t) => {
    const { mirror, tally, fetcher, wanted } = await scene(t, 1);
    mirror.rule('/debian/0.deb', { reset: true });
    t.same(
      (await fetcher.fetchAll(wanted)).map(({ result }) => result),
      ['failed'],
    );
    t.equal(mirror.connections, 8);
    t.same(tally.counts, { ...tally.counts, errors: { closed: 1 }, retries: { closed: 3 } });
  },
);

t.test('what was asked for behind an answer that closes is asked for again, and costs no try', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 12);
  mirror.rule('/debian/3.deb', { headers: { connection: 'close' } });
  t.ok((await fetcher.fetchAll(wanted)).every(({ result }) => result === 'ok'));
  t.same(tally.counts.retries, {});
  t.equal(mirror.connections, 2);
});

t.test('silence is given up and tried again', async (t) => {
  // long enough for a busy machine to send what it does send
  const { mirror, tally, fetcher, wanted } = await scene(t, 2, { silenceMs: 2000 });
  mirror.rule('/debian/0.deb', { stallAt: 100 }, 1);
  t.ok((await fetcher.fetchAll(wanted)).every(({ result }) => result === 'ok'));
  t.same(tally.counts.retries, { 'short-body': 1 });
  mirror.rule('/debian/1.deb', { hold: new Promise(() => undefined) }, 1);
  t.ok((await fetcher.fetchAll(wanted.slice(1))).every(({ result }) => result === 'ok'));
  t.same(tally.counts.retries, { 'short-body': 1, timeout: 1 });
});

t.test('nobody there: refused, four attempts for each file', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 2);
  await mirror.down();
  t.ok((await fetcher.fetchAll(wanted)).every(({ result }) => result === 'failed'));
  t.same(tally.counts.errors, { refused: 2 });
  t.same(tally.counts.retries, { refused: 6 });
});

t.test('an answer with a date that is known: not modified', async (t) => {
  const { tally, fetcher, wanted } = await scene(t, 1);
  const release = wanted.map((one): Wanted => ({ ...one, kind: 'release' }));
  const [first] = await fetcher.fetchAll(release);
  if (first?.result !== 'ok') return void t.fail('not fetched');
  const again = release.map((one): Wanted => ({ ...one, modifiedSince: first.lastModified }));
  t.same(await fetcher.fetchAll(again), [{ result: 'not-modified' }]);
  t.match(tally.counts, { fetched: 1, notModified: 1 });
});

t.test('who leaves in the middle has nothing more, and the server notices', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 5);
  mirror.rule('/debian/2.deb', { stallAt: 600 });
  const got = await fetcher.fetchAll(wanted, { item: 2, share: 0.5 });
  t.same(
    got.map(({ result }) => result),
    ['ok', 'ok', 'left', 'left', 'left'],
  );
  t.same(tally.counts.errors, {});
});

t.test('other bytes than HTTP are an error, not a crash', async (t) => {
  const { mirror, tally, fetcher, wanted } = await scene(t, 1);
  mirror.rule('/debian/0.deb', { raw: 'SSH-2.0-OpenSSH\r\n\r\n' });
  t.same(
    (await fetcher.fetchAll(wanted)).map(({ result }) => result),
    ['failed'],
  );
  t.same(tally.counts.errors, { protocol: 1 });
});
