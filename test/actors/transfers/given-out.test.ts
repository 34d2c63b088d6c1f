/** Bytes of peers that somebody has read and that turn out wrong: whoever has them is not given the rest alone. */
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import t, { type Test } from 'tap';

import type { FetchPlan } from '../../../src/core/fetch-plan.ts';
import type { ArrivingFile, Progress } from '../../../src/actors/transfers/protocol.ts';
import { until } from '../../kernel/contract.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import { signedPlan, startFetchStack, temporaryDirectory, type FetchStack } from '../fixtures/fetch-stack.ts';
import { honest, peer, ScriptedPeers, TORRENT, type Script } from '../fixtures/scripted-peers.ts';

const MIB = 1024 * 1024;
const BLOCK = 128 * 1024;
t.setTimeout(600_000);

interface Scene extends FetchStack {
  readonly web: Mirror;
  readonly peers: ScriptedPeers;
  /** The mirror has this as /a.deb. */
  readonly plan: FetchPlan;
}

async function scene(t: Test, data: Buffer, script: Script): Promise<Scene> {
  const files = await temporaryDirectory(t);
  const web = await Mirror.start({ root: files });
  t.teardown(() => web.close());
  await mkdir(dirname(join(files, 'a.deb')), { recursive: true });
  await writeFile(join(files, 'a.deb'), data);
  const peers = new ScriptedPeers(t, script);
  const stack = await startFetchStack(t, { root: await temporaryDirectory(t), peers: peers.actor.ref });
  peers.connect(stack.transfers.ref);
  return { ...stack, web, peers, plan: { ...signedPlan(`${web.url}/a.deb`, data), torrents: [TORRENT] } };
}

async function arriving({ transfers }: FetchStack, plan: FetchPlan, from: number): Promise<ArrivingFile> {
  const opened = await transfers.ref.within(30_000).ask('open', plan, from);
  if (opened.kind !== 'arriving') throw new Error('it is there already');
  return opened;
}

/** What there is at `position`, when there is something. */
async function next({ transfers }: FetchStack, file: ArrivingFile, position: number): Promise<Progress> {
  for (;;) {
    const progress = await transfers.ref.within(30_000).ask('wait', file.id, position, file.epoch);
    if (progress.kind !== 'more' || progress.end > position) return progress;
  }
}

t.test('what somebody has read of a range that a peer does not go on with is not written over', async (t) => {
  const data = randomBytes('hedged', 4 * MIB);
  const wrong = Buffer.alloc(BLOCK);
  // The peer has sent one block, which is wrong, and nothing of what comes before it.
  const s = await scene(t, data, honest(data, { block: () => undefined }));
  const first = arriving(s, s.plan, 0);
  await until(() => s.peers.jobs.length > 0);
  const [job, file] = [s.peers.jobs[0]?.id ?? 0, s.peers.sought[0]?.path ?? ''];
  const handle = await open(file, 'a+').then(async (made) => {
    await made.close();
    return open(file, 'r+');
  });
  await handle.write(wrong, 0, wrong.length, 2 * BLOCK);
  await handle.close();
  s.peers.sink?.tell('peerWrote', job, 2 * BLOCK, 3 * BLOCK);
  const reader = await arriving(s, s.plan, 2 * BLOCK);
  t.match(await next(s, reader, 2 * BLOCK), { kind: 'more', end: 3 * BLOCK });
  t.ok((await readFile(file)).subarray(2 * BLOCK, 3 * BLOCK).equals(wrong), 'he has read what the peer sent');
  let position = 3 * BLOCK;
  let progress = await next(s, reader, position);
  while (progress.kind === 'more') progress = await next(s, reader, (position = progress.end));
  t.equal(progress.kind, 'restarted', 'he is told that it is void');
  t.match(await s.transfers.ref.within(30_000).ask('open', s.plan, position), { spoilt: true });
  s.transfers.ref.tell('leave', reader.id);
  s.transfers.ref.tell('leave', (await first).id);
});

t.test('what is known to be wrong is void also when the mirror does not give it again', async (t) => {
  const data = randomBytes('given up', 4 * MIB);
  const at = 5 * BLOCK;
  const s = await scene(
    t,
    data,
    honest(data, {
      block: (_job, start, end) => {
        const bytes = Buffer.from(data.subarray(start, end));
        if (start === at) bytes[77] = (bytes[77] ?? 0) ^ 1;
        return { from: peer('bad'), bytes };
      },
      delayMs: 5,
    }),
  );
  const stop = s.web.rule('/a.deb', { status: 403 });
  const reader = await arriving(s, s.plan, 0);
  let position = 0;
  let progress = await next(s, reader, position);
  while (progress.kind === 'more') progress = await next(s, reader, (position = progress.end));
  t.ok(position > at, 'somebody has read it');
  t.match(progress, { kind: 'failed', code: 'FORBIDDEN' });
  s.transfers.ref.tell('leave', reader.id);
  stop();
  t.match(await s.transfers.ref.within(30_000).ask('open', s.plan, position), { spoilt: true });
});
