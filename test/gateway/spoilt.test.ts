/** Wrong bytes that somebody was sent: whoever asks for the rest gets the whole, so that they do not survive. */
import t from 'tap';

import { hashOf } from '../actors/fixtures/fetch-stack.ts';
import { until } from '../kernel/contract.ts';
import { randomBytes } from '../support/random.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { begin } from './fixtures/begun.ts';
import { ARCHIVE, startGateway, type GatewayScene } from './fixtures/gateway-scene.ts';

const MIB = 1024 * 1024;
t.setTimeout(600_000);

const rest = (s: GatewayScene, path: string, data: Buffer, from: number): Promise<RawAnswer> =>
  s.get(path, [`Range: bytes=${from}-`, `If-Range: "${hashOf(data)}"`]);

t.test('who left before the whole turned out wrong is given all of it', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('left', 3 * MIB);
  const path = `${ARCHIVE}/pool/a.deb`;
  await s.publish(path, data);
  s.index({ 'pool/a.deb': data });
  let release = (): void => undefined;
  s.web.rule(`/${path}`, { alterAt: 100, stallAt: MIB, until: new Promise<void>((resolve) => (release = resolve)) });
  const client = begin(t, s, path);
  await until(() => client.received() > 100_000);
  client.leave();
  await until(async () => (await s.transfers.ref.ask('status')).transfers[0]?.waiting_clients === 0);
  release();
  await until(() => s.log.of('hash mismatch: bytes thrown away').length > 0);
  s.web.clearRules();
  const again = await rest(s, path, data, 100_000);
  t.ok(again.status === 200 && again.body.equals(data), `${again.status}, ${again.body.length} bytes`);
  const other = await rest(s, path, data, 100_000);
  t.ok(other.status === 200 && other.body.equals(data), 'nor is a part given of the file that is right now');
});

t.test('who has all but the last block is given all of it', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('nearly', 3 * MIB);
  const path = `${ARCHIVE}/pool/a.deb`;
  await s.publish(path, data);
  s.index({ 'pool/a.deb': data });
  s.web.rule(`/${path}`, { reset: true });
  s.web.rule(`/${path}`, { alterAt: 100, truncateAt: data.length - 5000 }, 1);
  const first = await s.get(path);
  t.ok(!first.complete && first.body.length > 0, `${first.body.length} bytes came`);
  s.web.clearRules();
  let answer = await rest(s, path, data, first.body.length);
  if (!answer.complete) answer = await rest(s, path, data, first.body.length);
  t.ok(answer.status === 200 && answer.body.equals(data), `${answer.status}, ${answer.body.length} bytes`);
});

t.test('a small file that another client got right meanwhile', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('small', 100_000);
  const path = `${ARCHIVE}/dists/trixie/main/binary-amd64/by-hash/SHA256/${hashOf(data)}`;
  await s.publish(path, data);
  let release = (): void => undefined;
  s.web.rule(`/${path}`, { alterAt: 100, stallAt: 50_000, until: new Promise<void>((resolve) => (release = resolve)) });
  const client = begin(t, s, path);
  await until(() => client.received() > 10_000);
  release();
  const broken = await client.ended();
  t.equal(broken?.complete, false);
  s.web.clearRules();
  t.match(await s.get(path), { status: 200, complete: true, body: data });
  const again = await rest(s, path, data, broken?.body.length ?? 0);
  t.ok(again.status === 200 && again.body.equals(data), `${again.status}, ${again.body.length} bytes`);
});

t.test('a file that an index knows only when the rest is asked for', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('known later', 3 * MIB);
  const path = `${ARCHIVE}/pool/a.deb`;
  await s.publish(path, data);
  const modified = 'Wed, 01 Jul 2026 00:00:00 GMT';
  const headers = { 'last-modified': modified };
  s.web.rule(`/${path}`, { headers });
  s.web.rule(`/${path}`, { headers, alterAt: 100, truncateAt: MIB, etag: '"before"' }, 1);
  const first = await s.get(path);
  t.match(first, { status: 200, complete: false, headers });
  s.index({ 'pool/a.deb': data });
  // As APT does: by the date.
  const again = await s.get(path, [`Range: bytes=${first.body.length}-`, `If-Range: ${modified}`]);
  t.ok(again.status === 200 && again.body.equals(data), `${again.status}, ${again.body.length} bytes`);
});

t.test('what is in memory is given whole as well', async (t) => {
  const s = await startGateway(t, { limitBytes: 1_000_000 });
  const [data, other] = [randomBytes('remembered', 100_000), randomBytes('reserved', 950_000)];
  const [path, first] = [`${ARCHIVE}/pool/a.deb`, `${ARCHIVE}/pool/b.deb`];
  await s.publish(path, data);
  await s.publish(first, other);
  s.index({ 'pool/a.deb': data, 'pool/b.deb': other });
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  s.web.rule(`/${path}`, { alterAt: 100, stallAt: 50_000, until: released }, 1);
  // As long as this one comes the store has no room for the other.
  let fetched = (): void => undefined;
  s.web.rule(`/${first}`, { stallAt: 10_000, until: new Promise<void>((resolve) => (fetched = resolve)) }, 1);
  const holder = begin(t, s, first);
  await until(() => s.web.bytes(`/${first}`) > 0);
  const client = begin(t, s, path);
  await until(() => client.received() > 10_000);
  t.equal(s.log.of('passing by the store').length, 1);
  fetched();
  await holder.ended();
  await until(async () => (await s.store.ref.ask('find', hashOf(other))) !== undefined);
  t.match(await s.get(path), { status: 200, complete: true, body: data }, 'another one gets it right, from the store');
  release();
  const broken = await client.ended();
  t.equal(broken?.complete, false);
  const again = await rest(s, path, data, broken?.body.length ?? 0);
  t.ok(again.status === 200 && again.body.equals(data), `${again.status}, ${again.body.length} bytes`);
});

t.test(
  'a file that is wrong at its only mirror is fetched once for a request, and it says what is wrong',
  async (t) => {
    const s = await startGateway(t);
    const data = randomBytes('only', 500_000);
    const path = `${ARCHIVE}/pool/a.deb`;
    await s.publish(path, data);
    s.index({ 'pool/a.deb': data });
    s.web.rule(`/${path}`, { alterAt: 100 });
    const answer = await begin(t, s, path).ended();
    t.notOk(answer?.status === 200 && answer.complete);
    t.equal(s.web.requests(`/${path}`).length, 1);
    t.equal(s.log.of('hash mismatch: bytes thrown away').length, 1);
    t.strictSame(s.log.of('passing by the store'), []);
  },
);
