/** Every answer about a file says that it is a daemon's: the APT method takes what does not for another server's. */
import t from 'tap';

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
