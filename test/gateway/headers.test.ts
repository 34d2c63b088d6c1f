/** Every answer about a file says that it is a daemon's: the APT method takes what does not for another server's. */
import t from 'tap';

import type { MirrorUrl } from '../../src/core/ids.ts';
import { hashOf } from '../actors/fixtures/fetch-stack.ts';
import { until } from '../kernel/contract.ts';
import { exchange, requestText, type RawAnswer } from '../support/raw-http.ts';
import { randomBytes } from '../support/random.ts';
import { ARCHIVE, startGateway } from './fixtures/gateway-scene.ts';

function isSaid({ headers }: RawAnswer): boolean {
  return (headers['x-debtorrent-source'] ?? headers['x-debtorrent-error']) !== undefined;
}

t.test('a file, a part of it, and what is none', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('a', 50_000);
  await s.publish(`${ARCHIVE}/pool/a.deb`, data);
  await s.publish(`${ARCHIVE}/dists/trixie/InRelease`, data);
  s.index({ 'pool/a.deb': data });
  const etag = `If-None-Match: ${(await s.get(`${ARCHIVE}/pool/a.deb`)).headers['etag']}`;
  const requests: readonly (readonly [status: number, path: string, headers?: string[], method?: string])[] = [
    [200, `${ARCHIVE}/pool/a.deb`],
    [200, `${ARCHIVE}/pool/a.deb`, [], 'HEAD'],
    [206, `${ARCHIVE}/pool/a.deb`, ['Range: bytes=100-']],
    [304, `${ARCHIVE}/pool/a.deb`, [etag]],
    [416, `${ARCHIVE}/pool/a.deb`, ['Range: bytes=50000-']],
    [200, `${ARCHIVE}/dists/trixie/InRelease`],
    [304, `${ARCHIVE}/dists/trixie/InRelease`, ['If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT']],
    [404, `${ARCHIVE}/pool/none.deb`],
    [405, `${ARCHIVE}/pool/a.deb`, [], 'DELETE'],
  ];
  for (const [status, path, headers, method] of requests) {
    const answer = await s.get(path, headers, method);
    t.equal(answer.status, status, path);
    t.ok(isSaid(answer), `${status} ${path}`);
  }
  const other = await exchange(s.target, requestText('GET', '/forbidden.example/a', s.host));
  t.equal(other[0]?.status, 403);
  t.ok(isSaid(other[0] as RawAnswer));
});

t.test('a file that passes by a full store', async (t) => {
  const s = await startGateway(t, { limitBytes: 10_000 });
  const data = randomBytes('passes', 50_000);
  await s.publish(`${ARCHIVE}/pool/a.deb`, data);
  s.index({ 'pool/a.deb': data });
  for (const headers of [[], ['Range: bytes=100-']]) {
    const answer = await s.get(`${ARCHIVE}/pool/a.deb`, headers);
    t.ok(answer.body.equals(data.subarray(headers.length * 100)));
    t.ok(isSaid(answer));
  }
});

t.test('a client that wants what the mirror has now: asked where no hash says it, and nowhere else', async (t) => {
  const s = await startGateway(t);
  // by its date it may be kept for an hour
  s.web.rule(/img$/, { headers: { 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' } });
  const requests = ['Cache-Control: no-cache', 'Cache-Control: max-age=0', 'Pragma: no-cache'];
  for (const size of [3000, 300_000]) {
    const path = `${size}.img`;
    const url = `${s.web.url}/${path}` as MirrorUrl;
    // until then whoever asks is given what has just been fetched
    const kept = (bytes: number) => until(async () => (await s.store.ref.ask('name', url))?.size === bytes);
    let data = randomBytes('first', size);
    await s.publish(path, data);
    t.ok((await s.get(path)).body.equals(data));
    await kept(data.length);
    for (const header of requests) {
      const old = data;
      data = randomBytes(header, old.length + 1);
      await s.publish(path, data);
      t.ok((await s.get(path)).body.equals(old), `${path}: the old one for others`);
      t.ok((await s.get(path, [header])).body.equals(data), `${path} ${header}`);
      await kept(data.length);
      t.ok((await s.get(path)).body.equals(data), `${path} ${header}: the new one for others`);
    }
  }
  const signed = randomBytes('signed', 3000);
  await s.publish(`${ARCHIVE}/pool/a.deb`, signed);
  s.index({ 'pool/a.deb': signed });
  for (const header of ['X: y', ...requests]) {
    t.ok((await s.get(`${ARCHIVE}/pool/a.deb`, [header])).body.equals(signed));
  }
  t.equal(s.web.requests(`/${ARCHIVE}/pool/a.deb`).length, 1);
});

t.test('HEAD of what is cached is answered as GET is', async (t) => {
  const s = await startGateway(t);
  const headers = ['content-length', 'content-type', 'etag', 'last-modified', 'x-debtorrent-source'];
  for (const size of [3000, 300_000]) {
    const data = randomBytes('head', size);
    const named = `${ARCHIVE}/dists/trixie/main/by-hash/SHA256/${hashOf(data)}`;
    const indexed = `${ARCHIVE}/pool/${size}.deb`;
    await s.publish(named, data);
    await s.publish(indexed, data);
    s.index({ [`pool/${size}.deb`]: data });
    await s.get(indexed);
    await until(async () => (await s.store.ref.ask('find', hashOf(data))) !== undefined);
    for (const path of [indexed, named]) {
      const get = await s.get(path);
      const head = await s.get(path, [], 'HEAD');
      t.equal(get.headers['x-debtorrent-source'], 'cache', path);
      for (const name of headers) t.equal(head.headers[name], get.headers[name], `${path} ${name}`);
      t.equal(head.status, 200);
      const since = `If-Modified-Since: ${get.headers['last-modified']}`;
      for (const method of ['GET', 'HEAD'])
        t.equal((await s.get(path, [since], method)).status, 304, `${path} ${method}`);
    }
  }
  t.equal(s.web.log.filter(({ method }) => method === 'HEAD').length, 0);
});

t.test('other caches ask again for all whose name may stand for another file', async (t) => {
  const s = await startGateway(t);
  s.web.rule(/./, { headers: { 'cache-control': 'max-age=1000' } });
  const data = randomBytes('cached', 3000);
  const named = 'dists/trixie/main/by-hash/SHA256';
  const known = { 'pool/a.deb': data, 'dists/trixie/main/binary-amd64/Packages.xz': data, 'dists/x/Sources': data };
  const cases: readonly (readonly [path: string, again: boolean])[] = [
    ...Object.keys(known).map((path) => [path, !path.endsWith('.deb')] as const),
    ['dists/trixie/InRelease', true],
    [`${named}/${hashOf(data)}`, false],
    ['pool/unknown.deb', true],
  ];
  s.index(known);
  for (const [name, again] of cases) {
    const path = `${ARCHIVE}/${name}`;
    await s.publish(path, data);
    const first = await s.get(path);
    const etag = `If-None-Match: ${first.headers['etag']}`;
    const more = [await s.get(path), await s.get(path, [etag]), await s.get(path, [], 'HEAD')];
    for (const { status, headers } of [first, ...more]) {
      t.equal(headers['cache-control'], again ? 'no-cache' : undefined, `${name} ${status}`);
    }
    t.equal(more[1]?.status, 304);
  }
});

t.test('a client that wants only what is cached: the mirror is not asked', async (t) => {
  const s = await startGateway(t);
  const only = ['Cache-Control: only-if-cached'];
  const files = { 'pool/small.deb': randomBytes('small', 3000), 'pool/large.deb': randomBytes('large', 300_000) };
  s.index(files);
  for (const [name, data] of Object.entries(files)) await s.publish(`${ARCHIVE}/${name}`, data);
  await s.publish('a.img', Buffer.from('a'));
  for (const path of [...Object.keys(files).map((name) => `${ARCHIVE}/${name}`), 'a.img']) {
    const answer = await s.get(path, only);
    t.match(answer, { status: 504, headers: { 'x-debtorrent-error': 'NOT_CACHED' } }, path);
    t.equal(answer.headers['retry-after'], undefined);
  }
  t.same(s.web.log, []);
  for (const [name, data] of Object.entries(files)) {
    t.equal((await s.get(`${ARCHIVE}/${name}`)).status, 200);
    await until(async () => (await s.transfers.ref.ask('cached', hashOf(data))) !== undefined);
    s.web.forget();
    const answer = await s.get(`${ARCHIVE}/${name}`, only);
    t.ok(answer.status === 200 && answer.body.equals(data), name);
    t.same(s.web.log, []);
  }
});
