/** What an earlier transfer left, and what comes over it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import type { FetchPlan } from '../../../src/core/fetch-plan.ts';
import type { ArrivingFile, Progress } from '../../../src/actors/transfers/protocol.ts';
import { until } from '../../kernel/contract.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import {
  hashOf,
  namedPlan,
  signedPlan,
  startFetchStack,
  temporaryDirectory,
  type FetchStack,
} from '../fixtures/fetch-stack.ts';

const MIB = 1024 * 1024;
const SIZE = 6 * MIB;
t.setTimeout(600_000);

interface Scene extends FetchStack {
  readonly web: Mirror;
  readonly data: Buffer;
}

async function startMirror(t: Test, data: Buffer): Promise<Mirror> {
  const root = await temporaryDirectory(t);
  await mkdir(join(root, 'pool'));
  await writeFile(join(root, 'pool/a.deb'), data);
  const web = await Mirror.start({ root });
  t.teardown(() => web.close());
  return web;
}

async function scene(t: Test): Promise<Scene> {
  const data = randomBytes(t.name, SIZE);
  const web = await startMirror(t, data);
  return { ...(await startFetchStack(t, { root: await temporaryDirectory(t) })), web, data };
}

/** An earlier transfer left these ranges, with this content. */
async function leave({ store, data }: Scene, content: Buffer, ranges: [number, number][]): Promise<void> {
  const key = hashOf(data) as never;
  const { path } = await store.ref.ask('openPartial', key, data.length, true);
  await writeFile(path, content);
  store.ref.tell('parkPartial', key, ranges);
  await store.ref.ask('stats');
}

/** As a client that has been given all up to `position` reads on: to the end, or as far as it is not void. */
async function readOn({ transfers }: Scene, { id, epoch }: ArrivingFile, from: number): Promise<Progress> {
  for (let position = from; ;) {
    const progress = await transfers.ref.within(30_000).ask('wait', id, position, epoch);
    if (progress.kind !== 'more') return progress;
    position = progress.end;
  }
}

const open = ({ transfers }: Scene, plan: FetchPlan, from: number) =>
  transfers.ref.within(30_000).ask('open', plan, from) as Promise<ArrivingFile>;

t.test('a mirror without ranges, and a leftover of which a part is lost: who has read it is told', async (t) => {
  const s = await scene(t);
  const damaged = Buffer.from(s.data).fill(0, MIB, MIB + 8192);
  await leave(s, damaged, [[0, 4 * MIB]]);
  s.web.rule('/pool/a.deb', { ignoreRange: true });
  const plan = signedPlan(`${s.web.url}/pool/a.deb`, s.data);
  t.match(await readOn(s, await open(s, plan, 0), 0), { kind: 'restarted' });
  t.match(await s.transfers.ref.within(30_000).ask('fetch', plan), { sha256: hashOf(s.data), spoilt: true });
});

t.test('a file whose bytes were void is shown as fetched while it comes again', async (t) => {
  const s = await scene(t);
  await leave(s, Buffer.from(s.data).fill(0, MIB, MIB + 8192), [[0, 4 * MIB]]);
  let release = () => undefined as void;
  const stalled = new Promise<void>((resolve) => (release = resolve));
  s.web.rule('/pool/a.deb', { ignoreRange: true, stallAt: 5 * MIB, until: stalled });
  const plan = signedPlan(`${s.web.url}/pool/a.deb`, s.data);
  t.match(await readOn(s, await open(s, plan, 0), 0), { kind: 'restarted' });
  const status = async () => (await s.transfers.ref.ask('status')).transfers[0];
  await until(async () => ((await status())?.from_mirror ?? 0) >= 4 * MIB);
  t.match(await status(), { state: 'fetching' });
  release();
  t.match(await s.transfers.ref.within(30_000).ask('fetch', plan), { sha256: hashOf(s.data) });
});

t.test('the same where the leftover is right: nobody is told anything', async (t) => {
  const s = await scene(t);
  await leave(s, s.data, [
    [0, 2 * MIB],
    [3 * MIB, 4 * MIB],
  ]);
  s.web.rule('/pool/a.deb', { ignoreRange: true });
  const plan = signedPlan(`${s.web.url}/pool/a.deb`, s.data);
  t.match(await readOn(s, await open(s, plan, 0), 0), { kind: 'file', sha256: hashOf(s.data) });
  t.equal((await s.transfers.ref.ask('open', plan, 0)).spoilt, undefined);
});

t.test('in a file of unknown size what is left behind a gap is not written over', async (t) => {
  const s = await scene(t);
  await leave(s, s.data, [
    [0, MIB],
    [4 * MIB, 5 * MIB],
  ]);
  const url = `${s.web.url}/pool/a.deb`;
  const plan: FetchPlan = { ...namedPlan(url), trust: 'hash', sha256: hashOf(s.data), revalidate: 'immutable' };
  t.match(await s.transfers.ref.within(30_000).ask('fetch', plan), { sha256: hashOf(s.data) });
  t.equal(s.web.bytes('/pool/a.deb'), 4 * MIB);
});

t.test('whoever sent the whole last is to blame for it, and nobody else', async (t) => {
  const s = await scene(t);
  const other = await startMirror(t, s.data);
  const good = await startMirror(t, s.data);
  s.web.rule('/pool/a.deb', { status: 404 });
  s.web.rule('/pool/a.deb', { ignoreRange: true, truncateAt: 2 * MIB }, 1);
  s.web.rule((request) => request.headers['range'] !== undefined, { ignoreRange: true });
  other.rule('/pool/a.deb', { ignoreRange: true, alterAt: 3 * MIB });
  const [first, second, third] = [s.web, other, good].map(({ url }) => `${url}/pool/a.deb`) as [string, string, string];
  const file = await s.transfers.ref.within(30_000).ask('fetch', signedPlan(first, s.data, second, third));
  t.equal(file.sha256, hashOf(s.data));
  await until(() => s.log.of('hash mismatch: bytes thrown away').length > 0);
  t.same(
    s.log.of('hash mismatch: bytes thrown away').map(({ fields }) => fields['mirror']),
    [second],
  );
});
