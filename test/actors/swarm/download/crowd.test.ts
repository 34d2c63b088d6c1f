import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';
import { randomNumbers } from '../../../support/random.ts';
import { connect } from './crowd-link.ts';
import { Machine, Mirror } from './crowd.ts';
import { content, MIB, TORRENT } from './scene.ts';

/** 100 Mbit a second. */
const MIRROR_RATE = 12_500;

interface Crowd {
  readonly machines: readonly Machine[];
  readonly mirror: Mirror;
  readonly clock: ManualClock;
  /** Milliseconds that one copy from the mirror takes. */
  readonly copyMs: number;
  readonly size: number;
}

/** Runs until all who live are done; `each` is called every millisecond. */
async function run(
  t: Test,
  options: { count: number; size: number; spreadMs: number; seed: string; rate?: number },
  each: (crowd: Crowd) => void = () => undefined,
): Promise<Crowd> {
  const directory = mkdtempSync(join(tmpdir(), 'debtorrent-crowd-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const { rate = MIRROR_RATE } = options;
  const random = randomNumbers(options.seed);
  const clock = new ManualClock();
  const mirror = new Mirror(rate);
  const file = content(options.seed, options.size);
  const settings = { clock, file, torrent: TORRENT, path: (name: string) => join(directory, name) };
  const machines = Array.from({ length: options.count }, (_, n) => new Machine(`machine${n}`, settings, mirror));
  for (const [n, a] of machines.entries()) for (const b of machines.slice(n + 1)) connect(a, b, settings);
  for (const machine of machines) clock.setTimeout(() => machine.start(), Math.floor(random() * options.spreadMs));
  const crowd: Crowd = { machines, mirror, clock, copyMs: options.size / rate, size: options.size };
  while (machines.some(({ dead, doneAt }) => !dead && doneAt === undefined)) {
    if (clock.now() > 20 * crowd.copyMs + 20_000) throw new Error('they are never done');
    await written();
    clock.advance(1);
    if (clock.now() % 5 === 0) mirror.tick(5);
    each(crowd);
  }
  await Promise.all(machines.map(({ downloads }) => downloads.stop()));
  return crowd;
}

/** Blocks are written before the turn of the event loop after the one in which they came is over. */
async function written(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
}

function figures({ machines, mirror, copyMs, size }: Crowd): { copies: number; time: number } {
  const last = Math.max(...machines.map(({ doneAt }) => doneAt ?? 0));
  return { copies: mirror.sent / size, time: last / copyMs };
}

t.test('eight machines that want a file at once cost the mirror little more than one copy', async (t) => {
  for (const spreadMs of [1, 100, 1_500]) {
    const crowd = await run(t, { count: 8, size: 24 * MIB, spreadMs, seed: `at once ${spreadMs}` });
    const { copies, time } = figures(crowd);
    t.ok(copies <= 1.2, `${copies.toFixed(3)} copies with ${spreadMs} ms between them`);
    t.ok(time <= 1.4 + spreadMs / crowd.copyMs, `${time.toFixed(2)} times the time of one copy`);
  }
});

t.test('so it is with a file of one piece', async (t) => {
  const { copies } = figures(await run(t, { count: 8, size: 600_000, spreadMs: 1, seed: 'small' }));
  t.ok(copies <= 1.2, `${copies.toFixed(3)} copies`);
});

t.test('when one of them is killed in the middle the others finish', async (t) => {
  const crowd = await run(
    t,
    { count: 8, size: 24 * MIB, spreadMs: 20, seed: 'killed' },
    ({ clock, machines, copyMs }) => {
      if (clock.now() === Math.floor(copyMs / 2)) machines[3]?.die();
    },
  );
  const { copies, time } = figures(crowd);
  t.ok(copies <= 1.4, `${copies.toFixed(3)} copies`);
  t.ok(time <= 1.8, `${time.toFixed(2)} times the time of one copy`);
});

t.test('when three are killed over a slow line, one after the other, the rest go on together', async (t) => {
  const crowd = await run(
    t,
    { count: 8, size: 24 * MIB, spreadMs: 20, seed: 'b3', rate: MIRROR_RATE / 10 },
    ({ clock, machines, copyMs }) => {
      for (const n of [1, 2, 3]) if (clock.now() === Math.floor((copyMs * n) / 4)) machines[2 * n - 1]?.die();
    },
  );
  t.ok(figures(crowd).copies <= 1.5, `${figures(crowd).copies.toFixed(3)} copies`);
});
