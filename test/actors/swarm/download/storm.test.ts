/** Whatever happens to links and jobs, in whatever order: jobs end, and what is done is right. */
import t from 'tap';

import type { PeerOutcome } from '../../../../src/actors/swarm/protocol.ts';
import { randomNumbers } from '../../../support/random.ts';
import type { FakePeer } from './fake-peer.ts';
import { content, MIB, scene, type Scene } from './scene.ts';

interface Running {
  readonly want: number;
  readonly start: number;
  readonly end: number;
  outcome: PeerOutcome | undefined;
}

const FILES = 4;
const STEPS = 150;

async function storm(it: Scene, seed: string): Promise<{ jobs: Running[]; done: number }> {
  const random = randomNumbers(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const files = Array.from({ length: FILES }, (_, n) =>
    content(`${seed} ${n}`, [500, 90_000, 3 * MIB, 5 * MIB + 77][n] as number),
  );
  const wants = files.map((file, n) => it.wanted(file, n + 1));
  for (const wanted of wants) void it.downloads.seek(wanted);
  const peers: FakePeer[] = [];
  const jobs: Running[] = [];
  const open = () => {
    const peer = it.peer(
      `${String.fromCharCode(97 + pick(26))}${peers.length}`,
      files.filter(() => random() < 0.8),
    );
    peer.rate = 0.05 + random();
    peer.latency = 1 + pick(40);
    peers.push(peer);
  };
  const acts: (() => void)[] = [
    () => (peers.length < 12 ? open() : undefined),
    () => (random() < 0.3 ? peers[pick(peers.length)]?.close({ kind: 'closed', message: 'gone' }) : undefined),
    () => {
      const peer = peers[pick(peers.length)];
      if (peer !== undefined) peer.stalls = !peer.stalls;
    },
    () => {
      const peer = peers[pick(peers.length)];
      if (peer !== undefined && random() < 0.5) peer.rejects = (piece) => piece === pick(6);
    },
    () => it.downloads.cancel(pick(jobs.length + 1)),
    ...Array.from({ length: 4 }, () => () => {
      const want = wants[pick(FILES)] as (typeof wants)[0];
      const start = pick(want.size);
      const end = start + 1 + pick(want.size - start);
      const job: Running = { want: want.id, start, end, outcome: undefined };
      // Ranges of running jobs never overlap, as those of a transfer.
      const clash = jobs.some(
        (each) => each.want === want.id && each.outcome === undefined && each.start < end && start < each.end,
      );
      if (clash) return;
      const id = jobs.push(job);
      void it.downloads.fetch({ id, want: want.id, start, end }).then((outcome) => {
        job.outcome = outcome;
      });
    }),
  ];
  open();
  for (let step = 0; step < STEPS; step++) {
    acts[pick(acts.length)]?.();
    await it.pass(pick(30));
  }
  await it.until(() => jobs.every(({ outcome }) => outcome !== undefined));
  let done = 0;
  for (const [n, { want, start, end, outcome }] of jobs.entries()) {
    const wanted = wants[want - 1] as (typeof wants)[0];
    const { data } = files[want - 1] as (typeof files)[0];
    const isDone = outcome?.kind === 'done';
    if (isDone) done += 1;
    const told = it.wrote.get(n + 1)?.ranges ?? [];
    // That a job is done says that all of its range is there.
    for (const range of isDone ? [...told, { start, end }] : told) {
      if (range.start < start || range.end > end) throw new Error(`job ${n + 1} wrote outside`);
      if (!it.bytes(wanted).subarray(range.start, range.end).equals(data.subarray(range.start, range.end))) {
        throw new Error(`job ${n + 1} wrote something else`);
      }
    }
  }
  if (peers.some(({ waiting }) => waiting > 0)) throw new Error('something is asked for that nobody needs');
  return { jobs, done };
}

t.test('jobs end whatever happens, and what they wrote is right and was told', async (t) => {
  for (let n = 0; n < 6; n++) {
    const it = scene();
    const { jobs, done } = await storm(it, `storm ${n}`);
    t.ok(done > 0, `${done} of ${jobs.length} jobs were done`);
    await it.stop();
    t.equal(it.clock.timers, 0, 'no timer is left');
  }
});
