import { appendFile, mkdir, open as openFile, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

import t, { type Test } from 'tap';

import { DebtorrentError } from '../../../src/core/errors.ts';
import type { FetchPlan } from '../../../src/core/fetch-plan.ts';
import type { MirrorUrl } from '../../../src/core/ids.ts';
import type { ArrivingFile, Progress, WholeFile } from '../../../src/actors/transfers/protocol.ts';
import { rejectsWith, until } from '../../kernel/contract.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import {
  hashOf,
  namedPlan,
  signedPlan,
  startFetchStack,
  temporaryDirectory,
  type FetchStack,
  type FetchStackOptions,
} from '../fixtures/fetch-stack.ts';

const MIB = 1024 * 1024;
t.setTimeout(600_000);

interface Scene extends FetchStack {
  readonly web: Mirror;
  url(name: string): string;
  publish(name: string, data: Buffer): Promise<void>;
}

async function startMirror(t: Test): Promise<{ web: Mirror; publish: Scene['publish']; url: Scene['url'] }> {
  const files = await temporaryDirectory(t);
  const web = await Mirror.start({ root: files });
  t.teardown(() => web.close());
  return {
    web,
    url: (name) => `${web.url}/${name}`,
    async publish(name, data) {
      await mkdir(dirname(join(files, name)), { recursive: true });
      await writeFile(join(files, name), data);
    },
  };
}

async function scene(t: Test, options: Partial<FetchStackOptions> = {}): Promise<Scene> {
  const mirror = await startMirror(t);
  const stack = await startFetchStack(t, { root: await temporaryDirectory(t), ...options });
  return { ...stack, ...mirror };
}

/** Reads a file as the gateway does: what may be read when it may be read. */
async function read({ transfers }: FetchStack, plan: FetchPlan, from = 0): Promise<Buffer> {
  const opened = await transfers.ref.within(30_000).ask('open', plan, from);
  if (opened.kind === 'file') return (await readWhole(opened)).subarray(from);
  const handle = await openFile(opened.path);
  const parts: Buffer[] = [];
  try {
    for (let position = from; ;) {
      const progress: Progress = await transfers.ref.within(30_000).ask('wait', opened.id, position, opened.epoch);
      if (progress.kind === 'failed') throw new DebtorrentError(progress.code, progress.message);
      if (progress.kind === 'restarted') throw new DebtorrentError('HASH_MISMATCH', 'restarted');
      const end = progress.kind === 'file' ? progress.size : progress.end;
      const part = Buffer.alloc(end - position);
      if (part.length > 0) await handle.read(part, 0, part.length, position);
      parts.push(part);
      position = end;
      if (progress.kind === 'file') return Buffer.concat(parts);
    }
  } finally {
    transfers.ref.tell('leave', opened.id);
    await handle.close();
  }
}

/** It moves from the one path to the other meanwhile. */
async function readWhole(file: WholeFile): Promise<Buffer> {
  return readFile(file.path).catch(() => readFile(file.finalPath));
}

const fetched = async ({ transfers }: FetchStack, plan: FetchPlan) => transfers.ref.within(50_000).ask('fetch', plan);

/** The same, and waits until the file is in the cache: those who asked are answered before it is flushed. */
async function kept(s: FetchStack, plan: FetchPlan): Promise<WholeFile> {
  const file = await fetched(s, plan);
  await until(async () => (await s.store.ref.ask('find', file.sha256)) !== undefined);
  return file;
}

t.test('many who ask for one file at once are one transfer, and one download', async (t) => {
  const s = await scene(t);
  const data = randomBytes('many', 9 * MIB);
  await s.publish('a.deb', data);
  const plan = signedPlan(s.url('a.deb'), data);
  const all = await Promise.all(Array.from({ length: 30 }, (_, n) => read(s, plan, n * 1000)));
  t.ok(all.every((part, n) => part.equals(data.subarray(n * 1000))));
  t.equal(s.web.copies('/a.deb'), 1);
  await fetched(s, plan);
  await until(async () => (await s.transfers.ref.ask('status')).transfers.length === 0);
  t.match(await s.transfers.ref.ask('open', plan, 0), { kind: 'file', source: 'cache', sha256: hashOf(data) });
  t.equal(s.web.copies('/a.deb'), 1);
  t.match((await s.transfers.ref.ask('status')).totals, { fromMirrorBytes: data.length, hashFailures: 0 });
});

t.test('an empty file, signed and not', async (t) => {
  const s = await scene(t);
  await s.publish('empty', Buffer.alloc(0));
  t.match(await fetched(s, signedPlan(s.url('empty'), Buffer.alloc(0))), { size: 0, sha256: hashOf(Buffer.alloc(0)) });
  t.match(await fetched(s, namedPlan(s.url('empty'))), { size: 0, sha256: hashOf(Buffer.alloc(0)) });
});

t.test('the last block is held back until the hash holds', async (t) => {
  const s = await scene(t);
  const data = randomBytes('held', 2 * MIB);
  await s.publish('a.deb', data);
  let release = () => undefined as void;
  s.web.rule('/a.deb', { stallAt: data.length - 1, until: new Promise<void>((resolve) => (release = resolve)) });
  const opened = (await s.transfers.ref.ask('open', signedPlan(s.url('a.deb'), data), 0)) as ArrivingFile;
  t.match(opened, { kind: 'arriving', size: data.length, source: 'mirror', epoch: 0 });
  let position = 0;
  while (position < data.length - 16 * 1024) {
    const progress = await s.transfers.ref.ask('wait', opened.id, position, 0);
    if (progress.kind !== 'more') throw new Error(progress.kind);
    position = progress.end;
  }
  t.equal(position, data.length - 16 * 1024);
  t.ok((await readFile(opened.path)).subarray(0, position).equals(data.subarray(0, position)));
  const last = s.transfers.ref.within(30_000).ask('wait', opened.id, position, 0);
  release();
  t.match(await last, { kind: 'file', size: data.length });
  s.transfers.ref.tell('leave', opened.id);
});

t.test('the first byte wanted comes first', async (t) => {
  const s = await scene(t, { connections: 1 });
  const data = randomBytes('focus', 20 * MIB);
  await s.publish('a.deb', data);
  await read(s, signedPlan(s.url('a.deb'), data), 15 * MIB);
  t.match(s.web.requests('/a.deb')[0]?.headers['range'], /^bytes=15728640-/);
  await fetched(s, signedPlan(s.url('a.deb'), data));
  t.equal(s.web.copies('/a.deb'), 1);
});

t.test('what was interrupted is resumed by the next transfer, also after a restart', async (t) => {
  const root = await temporaryDirectory(t);
  const mirror = await startMirror(t);
  const data = randomBytes('resume', 12 * MIB);
  await mirror.publish('a.deb', data);
  const plan = signedPlan(mirror.url('a.deb'), data);
  const first = await startFetchStack(t, { root, connections: 1 });
  mirror.web.rule('/a.deb', { stallAt: 3 * MIB }, 1);
  const waiting = fetched(first, plan).catch((error: unknown) => error);
  await until(async () => ((await first.transfers.ref.ask('status')).transfers[0]?.received ?? 0) >= 2 * MIB);
  await first.stop();
  t.match(await waiting, { code: /STOPPING|ACTOR_STOPPED/ });
  mirror.web.clearRules();
  mirror.web.forget();
  const second = await startFetchStack(t, { root });
  t.ok((await read(second, plan)).equals(data));
  t.ok(mirror.web.bytes('/a.deb') <= data.length - 2 * MIB, `${mirror.web.bytes('/a.deb')} bytes more`);
});

t.test('a resumed part that is wrong is thrown away, and the mirror is not blamed', async (t) => {
  const root = await temporaryDirectory(t);
  const mirror = await startMirror(t);
  const data = randomBytes('wrong', 3 * MIB);
  await mirror.publish('a.deb', data);
  const plan = signedPlan(mirror.url('a.deb'), data);
  for (const leftover of [Buffer.alloc(MIB), Buffer.alloc(3 * MIB)]) {
    const before = await startFetchStack(t, { root });
    const key = hashOf(data) as never;
    const { path } = await before.store.ref.ask('openPartial', key, data.length, true);
    await writeFile(path, leftover);
    before.store.ref.tell('parkPartial', key, [[0, leftover.length]]);
    await before.store.ref.ask('stats');
    await before.stop();
    const s = await startFetchStack(t, { root });
    t.match(await kept(s, plan), { sha256: hashOf(data) });
    t.match(await s.transfers.ref.ask('status'), { totals: { hashFailures: 1 } });
    s.store.ref.tell('wrong', hashOf(data));
    await s.store.ref.ask('find', hashOf(data));
    await s.stop();
  }
});

t.test('a leftover longer than a file of unknown size does not block it for ever', async (t) => {
  const s = await scene(t);
  const data = randomBytes('by-hash', 100_000);
  await s.publish('by-hash', data);
  const key = hashOf(data) as never;
  const { path } = await s.store.ref.ask('openPartial', key, 0, true);
  await writeFile(path, Buffer.alloc(200_000));
  s.store.ref.tell('parkPartial', key, [[0, 200_000]]);
  const plan: FetchPlan = {
    ...namedPlan(s.url('by-hash')),
    trust: 'hash',
    sha256: hashOf(data),
    revalidate: 'immutable',
  };
  t.match(await fetched(s, plan), { sha256: hashOf(data), size: 100_000 });
});

t.test('a leftover that is a whole file of unknown size is taken as it is', async (t) => {
  const s = await scene(t);
  const data = randomBytes('by-hash', 100_000);
  await s.publish('by-hash', data);
  const key = hashOf(data) as never;
  const { path } = await s.store.ref.ask('openPartial', key, 0, true);
  await writeFile(path, data);
  s.store.ref.tell('parkPartial', key, [[0, data.length]]);
  const plan = {
    ...namedPlan(s.url('by-hash')),
    trust: 'hash',
    sha256: hashOf(data),
    revalidate: 'immutable',
  } as const;
  t.ok((await read(s, plan)).equals(data));
  t.ok(s.web.bytes('/by-hash') < 100, 'but for the text of an error');
});

t.test('where somebody else asks for the same content it is taken from when the first mirror fails', async (t) => {
  const s = await scene(t);
  const other = await startMirror(t);
  const data = randomBytes('elsewhere', 50_000);
  await other.publish('b.deb', data);
  let release = () => undefined as void;
  s.web.rule('/a.deb', { status: 404, hold: new Promise<void>((resolve) => (release = resolve)) });
  const first = fetched(s, signedPlan(s.url('a.deb'), data));
  await until(() => s.web.log.length === 1);
  const second = fetched(s, signedPlan(other.url('b.deb'), data));
  await s.transfers.ref.ask('status');
  release();
  t.match(await first, { sha256: hashOf(data) });
  t.match(await second, { sha256: hashOf(data) });
  t.equal(s.web.log.length, 1);
});

t.test('what a mirror altered never completes, and nothing of it is kept', async (t) => {
  const s = await scene(t);
  const data = randomBytes('altered', 6 * MIB);
  await s.publish('a.deb', data);
  const plan = signedPlan(s.url('a.deb'), data);
  const stop = s.web.rule('/a.deb', { alterAt: 5 * MIB });
  await rejectsWith(t, read(s, plan), 'HASH_MISMATCH');
  await until(async () => (await s.transfers.ref.ask('status')).transfers.length === 0);
  t.equal(s.log.of('hash mismatch: bytes thrown away')[0]?.fields['mirror'], s.url('a.deb'));
  t.equal(await s.store.ref.ask('find', hashOf(data)), undefined);
  stop();
  t.ok((await read(s, plan)).equals(data), 'and the next try begins clean');
});

t.test('where a mirror redirects to another, the log names the one that sent wrong bytes', async (t) => {
  const s = await scene(t);
  const bad = await startMirror(t);
  const data = randomBytes('redirected', 3 * MIB);
  await bad.publish('b.deb', data);
  s.web.rule('/a.deb', { redirect: bad.url('b.deb') });
  bad.web.rule('/b.deb', { alterAt: MIB });
  await rejectsWith(t, read(s, signedPlan(s.url('a.deb'), data)), 'HASH_MISMATCH');
  await until(async () => (await s.transfers.ref.ask('status')).transfers.length === 0);
  t.equal(s.log.of('hash mismatch: bytes thrown away')[0]?.fields['mirror'], bad.url('b.deb'));
  t.equal(s.web.copies('/a.deb'), 0);
});

t.test('of addresses that lead to one place with wrong bytes none is asked again', async (t) => {
  const s = await scene(t);
  const bad = await startMirror(t);
  const data = randomBytes('one place', 3 * MIB);
  await bad.publish('b.deb', data);
  for (const path of ['/one', '/two']) s.web.rule(path, { redirect: bad.url('b.deb') });
  bad.web.rule('/b.deb', { alterAt: 1000 });
  bad.web.rule('/b.deb', { alterAt: 1000, truncateAt: MIB }, 1);
  await rejectsWith(t, fetched(s, signedPlan(s.url('one'), data, s.url('two'))), 'HASH_MISMATCH');
  t.ok(s.web.requests('/two').length > 0);
  t.equal(bad.web.copies('/b.deb'), 1);
});

t.test('another mirror mends what one altered; readers are told that what they have is void', async (t) => {
  const s = await scene(t);
  const good = await startMirror(t);
  const data = randomBytes('two', 6 * MIB);
  await s.publish('a.deb', data);
  await good.publish('a.deb', data);
  s.web.rule('/a.deb', { alterAt: 100 });
  const plan = signedPlan(s.url('a.deb'), data, good.url('a.deb'));
  const opened = (await s.transfers.ref.ask('open', plan, 0)) as ArrivingFile;
  let progress: Progress;
  let position = 0;
  do {
    progress = await s.transfers.ref.within(30_000).ask('wait', opened.id, position, opened.epoch);
    if (progress.kind === 'more') position = progress.end;
  } while (progress.kind === 'more');
  t.match(progress, { kind: 'restarted', epoch: 1 });
  s.transfers.ref.tell('leave', opened.id);
  t.match(await fetched(s, plan), { sha256: hashOf(data) });
  t.equal(good.web.copies('/a.deb'), 1);
});

t.test('when two mirrors delivered a wrong whole, the one that is right wins in the end', async (t) => {
  const s = await scene(t, { connections: 1 });
  const good = await startMirror(t);
  const data = randomBytes('mixed', 9 * MIB);
  await s.publish('a.deb', data);
  await good.publish('a.deb', data);
  // The bad one delivers a part, fails, and the good one goes on: the whole is wrong, and both had a share.
  s.web.rule('/a.deb', { alterAt: 100 });
  s.web.rule((request) => request.path === '/a.deb' && !/=0-/.test(request.headers['range'] ?? '=0-'), { status: 500 });
  const plan = signedPlan(s.url('a.deb'), data, good.url('a.deb'));
  t.match(await fetched(s, plan), { sha256: hashOf(data) });
});

t.test('a mirror without ranges, one that cuts short, one that fails at first: the file arrives', async (t) => {
  for (const [what, fault, times] of [
    ['no ranges', { ignoreRange: true }, Infinity],
    ['truncates twice', { truncateAt: 700_000 }, 2],
    ['resets twice', { resetAt: 700_000 }, 2],
    ['is overloaded twice', { status: 503 }, 2],
    ['chunked', { chunked: 'only' }, Infinity],
    ['chunked and with a length', { chunked: 'with-length' }, Infinity],
    ['until the end of the connection', { closeDelimited: true }, Infinity],
    ['gzip on the fly', { gzip: 'always' }, Infinity],
  ] as const) {
    const s = await scene(t);
    const data = randomBytes(what, 9 * MIB);
    await s.publish('a.deb', data);
    s.web.rule('/a.deb', fault, times);
    t.ok((await read(s, signedPlan(s.url('a.deb'), data))).equals(data), what);
    s.web.rule('/a.deb', fault, times);
    t.ok((await read(s, namedPlan(s.url('a.deb')))).equals(data), `${what}, unsigned`);
    await s.stop();
  }
});

t.test('a mirror that always breaks at the same byte is given up on', async (t) => {
  const s = await scene(t);
  const data = randomBytes('loop', 9 * MIB);
  await s.publish('a.deb', data);
  s.web.rule('/a.deb', { ignoreRange: true, truncateAt: 2 * MIB });
  await rejectsWith(t, fetched(s, signedPlan(s.url('a.deb'), data)), 'MIRROR_TRUNCATED');
  await rejectsWith(t, fetched(s, namedPlan(s.url('a.deb'))), 'MIRROR_TRUNCATED');
  t.ok(s.web.requests('/a.deb').length < 20, `${s.web.requests('/a.deb').length} requests`);
});

t.test('an unsigned file that changes in the middle is fetched anew, never mixed', async (t) => {
  const s = await scene(t);
  const [old, young] = [Buffer.alloc(2 * MIB, 'a'), Buffer.alloc(MIB, 'b')];
  await s.publish('f', young);
  for (const [what, headers] of [
    ['with an entity tag', {}],
    ['with a date', { etag: '' }],
    ['with neither', { etag: '', 'last-modified': '' }],
  ] as const) {
    s.web.clearRules();
    s.web.rule('/f', { headers });
    s.web.rule('/f', { content: old, etag: '"old"', truncateAt: MIB + MIB / 2, headers }, 1);
    const file = await fetched(s, namedPlan(s.url('f')));
    const data = await readWhole(file);
    t.ok(data.equals(young), `${what}: ${data.length} bytes`);
    t.equal((await stat(file.finalPath)).size, young.length, 'with nothing behind it');
    t.match(await s.store.ref.ask('find', hashOf(young)), { size: young.length });
  }
});

t.test('a header without a body and then a longer file is the longer file', async (t) => {
  const s = await scene(t);
  await s.publish('f', Buffer.alloc(200_000, 'b'));
  s.web.rule('/f', { content: Buffer.alloc(100_000, 'a'), etag: '"old"', truncateAt: 0 }, 1);
  t.ok((await readWhole(await fetched(s, namedPlan(s.url('f'))))).equals(Buffer.alloc(200_000, 'b')));
});

t.test('names are revalidated, and served stale when the mirror is down', async (t) => {
  const s = await scene(t);
  await s.publish('InRelease', Buffer.from('one'));
  const plan = namedPlan(s.url('InRelease'));
  t.match(await fetched(s, plan), { size: 3, source: 'mirror', stale: false });
  t.match(await fetched(s, plan), { size: 3, source: 'cache', stale: false });
  t.equal(s.web.requests('/InRelease').at(-1)?.status, 304);
  s.web.rule('/InRelease', { status: 503 });
  t.match(await fetched(s, plan), { size: 3, source: 'cache', stale: true });
  await s.web.down();
  t.match(await fetched(s, plan), { size: 3, source: 'cache', stale: true });
  await s.web.up();
  s.web.clearRules();
  await s.publish('InRelease', Buffer.from('second'));
  t.match(await fetched(s, plan), { size: 6, source: 'mirror', stale: false });
  s.web.rule('/InRelease', { status: 404 });
  await rejectsWith(t, fetched(s, plan), 'NOT_FOUND');
  await until(async () => (await s.store.ref.ask('name', plan.url)) === undefined);
  await s.web.down();
  await rejectsWith(t, fetched(s, plan), 'MIRROR_UNREACHABLE', /InRelease/);
});

t.test('who asks for a name right after somebody has got it is given what the mirror has then', async (t) => {
  const s = await scene(t);
  await s.publish('InRelease', Buffer.from('old'));
  const plan = namedPlan(s.url('InRelease'));
  const open = () => s.transfers.ref.within(30_000).ask('open', plan, 0);
  t.match(await open(), { kind: 'file', size: 3 });
  // It is not flushed yet.
  s.web.rule('/InRelease', { status: 404 });
  await rejectsWith(t, open(), 'NOT_FOUND');
});

t.test('fresh names need no mirror', async (t) => {
  const s = await scene(t);
  await s.publish('f', Buffer.from('x'));
  s.web.rule('/f', { headers: { 'cache-control': 'max-age=60' } });
  const plan = namedPlan(s.url('f'), 'heuristic');
  await fetched(s, plan);
  t.match(await fetched(s, plan), { source: 'cache' });
  t.equal(s.web.requests('/f').length, 1);
  s.web.rule('/g', { headers: { 'cache-control': 'no-store' } });
  await s.publish('g', Buffer.from('x'));
  await fetched(s, namedPlan(s.url('g'), 'heuristic'));
  t.match(await fetched(s, namedPlan(s.url('g'), 'heuristic')), { source: 'mirror' });
});

t.test('a cached file that changed on disk is fetched again, by hash and by name', async (t) => {
  const s = await scene(t);
  const data = randomBytes('disk', 400_000);
  await s.publish('a', data);
  for (const plan of [signedPlan(s.url('a'), data), namedPlan(s.url('a')), namedPlan(s.url('a'), 'heuristic')]) {
    const { finalPath } = await kept(s, plan);
    await writeFile(finalPath, Buffer.alloc(400_000));
    const again = await kept(s, plan);
    t.ok((await readWhole(again)).equals(data));
    await appendFile(again.finalPath, 'x');
    t.ok((await readWhole(await kept(s, plan))).equals(data));
  }
  const { finalPath } = await kept(s, signedPlan(s.url('a'), data));
  await writeFile(finalPath, data);
  s.web.forget();
  t.match(await kept(s, signedPlan(s.url('a'), data)), { source: 'cache' });
  t.equal(s.web.log.length, 0, 'one that is as before is only hashed');
});

t.test('that a file cannot be hashed now is no reason to remove it', async (t) => {
  const refuse = () => Promise.reject(new DebtorrentError('OVERLOADED', 'too many'));
  const refusing = {
    sha256: refuse,
    sha256Along: refuse,
    pieceRoots: refuse,
    pieceRoot: refuse,
    prepare() {},
    close: () => Promise.resolve(),
  };
  const s = await scene(t, { hashing: refusing });
  const data = randomBytes('busy', 100_000);
  await s.publish('a', data);
  const { finalPath } = await kept(s, signedPlan(s.url('a'), data));
  await writeFile(finalPath, data);
  await s.web.down();
  await rejectsWith(t, fetched(s, signedPlan(s.url('a'), data)), 'MIRROR_UNREACHABLE');
  t.ok((await readFile(finalPath)).equals(data));
});

t.test('a mirror that is down is an error and no empty answer; what failed is tried again by the next', async (t) => {
  const s = await scene(t);
  const data = randomBytes('down', 300_000);
  await s.publish('a', data);
  await s.web.down();
  await rejectsWith(
    t,
    s.transfers.ref.within(30_000).ask('open', signedPlan(s.url('a'), data), 0),
    'MIRROR_UNREACHABLE',
  );
  await Promise.all(
    [1, 2, 3].map(() => rejectsWith(t, fetched(s, signedPlan(s.url('a'), data)), 'MIRROR_UNREACHABLE')),
  );
  await s.web.up();
  t.match(await fetched(s, signedPlan(s.url('a'), data)), { size: 300_000 });
});

t.test('all who wait hear of a failure though jobs are still running', async (t) => {
  const s = await scene(t);
  const data = randomBytes('waiters', 40 * MIB);
  await s.publish('a', data);
  s.web.rule('/a', { stallAt: 1000 });
  s.web.rule((request) => request.headers['range']?.startsWith('bytes=0-') === true, { delayMs: 200, status: 404 });
  const all = [1, 2, 3, 4].map(() => rejectsWith(t, fetched(s, signedPlan(s.url('a'), data)), 'NOT_FOUND'));
  await Promise.all(all);
  await until(async () => (await s.transfers.ref.ask('status')).transfers.length === 0);
  s.web.clearRules();
  t.match(await fetched(s, signedPlan(s.url('a'), data)), { size: data.length });
});

t.test('connections that break together are one failure', async (t) => {
  const s = await scene(t, { connections: 8 });
  const data = randomBytes('together', 40 * MIB);
  await s.publish('a', data);
  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => (release = resolve));
  s.web.rule('/a', { stallAt: 1000, until: held }, 8);
  const all = fetched(s, signedPlan(s.url('a'), data));
  await until(() => s.web.log.length === 8);
  s.web.dropConnections();
  t.match(await all, { size: data.length });
  release();
});

t.test('a mirror has as long as ever when the clock is set forward while somebody waits', async (t) => {
  const s = await scene(t);
  const data = randomBytes('set', MIB);
  await s.publish('a', data);
  let release = () => undefined as void;
  s.web.rule('/a', { hold: new Promise<void>((resolve) => (release = resolve)) });
  const opened = s.transfers.ref.ask('open', namedPlan(s.url('a')), 0);
  await until(() => s.web.log.length === 1);
  const { now } = Date;
  t.teardown(() => (Date.now = now));
  Date.now = () => now() + 3_600_000;
  // By then it has been looked once more whether the mirror has had its time.
  setTimeout(release, 1_500);
  t.match(await opened, { size: MIB });
});

t.test('headers go out when the size is known though the mirror is slow', async (t) => {
  const s = await scene(t, { timeouts: { headersMs: 600_000, stallMs: 600_000, againMs: 600_000 } });
  const data = randomBytes('slow', MIB);
  await s.publish('a', data);
  let release = () => undefined as void;
  s.web.rule('/a', { hold: new Promise<void>((resolve) => (release = resolve)) });
  const opened = await s.transfers.ref.within(60_000).ask('open', signedPlan(s.url('a'), data), 0);
  t.match(opened, { kind: 'arriving', size: MIB });
  t.equal(s.web.bytes('/a'), 0);
  if (opened.kind === 'arriving') s.transfers.ref.tell('leave', opened.id);
  release();
  await fetched(s, signedPlan(s.url('a'), data));
});

t.test('a mirror that takes its time to say that the file is not there', async (t) => {
  const s = await scene(t);
  for (const [name, size] of [
    ['small', 3000],
    ['large', 40 * MIB],
  ] as const) {
    s.web.rule(`/${name}`, { delayMs: 1800, status: 404 });
    const plan = { ...signedPlan(s.url(name), randomBytes(name, 10)), size };
    await rejectsWith(t, s.transfers.ref.ask('open', plan, 0), 'NOT_FOUND');
  }
});

t.test('a mirror that falls silent twice in a row is given up sooner the second time', async (t) => {
  const s = await scene(t, { timeouts: { headersMs: 600_000, stallMs: 3_000, againMs: 1_000 } });
  const data = randomBytes('silent', 3 * MIB);
  await s.publish('a', data);
  s.web.rule(() => s.web.log.length === 1, { stallAt: MIB });
  s.web.rule(
    ({ headers }) => s.web.log.length > 1 && headers['range']?.startsWith(`bytes=${MIB}-`) === true,
    {
      hold: new Promise(() => undefined),
    },
    1,
  );
  t.match(await fetched(s, signedPlan(s.url('a'), data)), { size: data.length });
});

t.test('a mirror whose redirects take long, each less than it may, is left for another', async (t) => {
  const s = await scene(t, { timeouts: { connectMs: 1_000, headersMs: 3_000 } });
  const other = await startMirror(t);
  const data = randomBytes('long way', 300_000);
  await other.publish('a', data);
  s.web.rule('/a', { delayMs: 1_200, redirect: `${s.web.url}/a?again` });
  const plan = { ...signedPlan(s.url('a'), data), alternates: [other.url('a') as MirrorUrl] };
  t.match(await s.transfers.ref.within(60_000).ask('fetch', plan), { size: data.length });
  t.ok(s.web.log.length < 6, `not after all ${s.web.log.length}`);
});

t.test('clients are counted, and the counts come back to none', async (t) => {
  const s = await scene(t);
  const data = randomBytes('count', 2 * MIB);
  await s.publish('a', data);
  let release = () => undefined as void;
  s.web.rule('/a', { stallAt: MIB, until: new Promise<void>((resolve) => (release = resolve)) });
  const plan = signedPlan(s.url('a'), data);
  const opened = await Promise.all(Array.from({ length: 5 }, () => s.transfers.ref.ask('open', plan, 0)));
  const clients = async () => (await s.transfers.ref.ask('status')).transfers[0]?.waiting_clients;
  t.equal(await clients(), 5);
  for (const file of opened) if (file.kind === 'arriving') s.transfers.ref.tell('leave', file.id);
  t.equal(await clients(), 0);
  release();
  await fetched(s, plan);
});

t.test('what a mirror says of a file is known without its body', async (t) => {
  const s = await scene(t);
  await s.publish('a', Buffer.alloc(5000));
  t.match(await s.transfers.ref.ask('head', s.url('a') as never), { size: 5000, sha256: undefined });
  await rejectsWith(t, s.transfers.ref.ask('head', s.url('b') as never), 'NOT_FOUND');
  t.equal(s.web.bytes('/a'), 0);
});

t.test('more files than connections, all arrive', async (t) => {
  const s = await scene(t, { connections: 2 });
  const files = Array.from({ length: 200 }, (_, n) => randomBytes(`f${n}`, 5_000 + n));
  for (const [n, data] of files.entries()) await s.publish(`f${n}`, data);
  const all = await Promise.all(files.map((data, n) => read(s, signedPlan(s.url(`f${n}`), data))));
  t.ok(all.every((data, n) => data.equals(files[n] as Buffer)));
  t.ok(s.web.connections <= 3, `${s.web.connections} connections`);
});

t.test('a stop in the middle of everything ends at once, and settles everything', async (t) => {
  const s = await scene(t);
  const data = randomBytes('stop', 9 * MIB);
  for (const name of ['a', 'b', 'c']) await s.publish(name, data);
  s.web.rule('/a', { stallAt: 1000 });
  s.web.rule('/b', { delayMs: 10_000 });
  s.web.rule('/c', { status: 503 });
  const asks = ['a', 'b', 'c'].flatMap((name) => {
    const plan = { ...signedPlan(s.url(name), data), sha256: hashOf(Buffer.from(name)) };
    return [fetched(s, plan), s.transfers.ref.ask('open', plan, 0)];
  });
  const settled = Promise.allSettled(asks);
  await until(() => s.web.log.length >= 3);
  const began = Date.now();
  await s.stop();
  t.ok(Date.now() - began < 7000);
  t.equal((await settled).length, 6);
});

t.test('no timer, job or listener is left when nothing goes on', async (t) => {
  const server = createServer((_req, res) => res.end('x'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const s = await scene(t);
  for (let n = 0; n < 20; n++)
    await fetched(s, namedPlan(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${n}`));
  await s.stop();
  server.closeAllConnections();
  t.strictSame(await s.store.ref.ask('stats').catch((error: DebtorrentError) => error.code), 'ACTOR_STOPPED');
  t.strictSame((await import('node:fs')).readdirSync(join(s.root, 'partial')), []);
});
