import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Logger } from '../../../src/core/logging.ts';
import type { History } from '../../../src/gateway/status/history.ts';
import { Recorder } from '../../../src/gateway/status/recorder.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { until } from '../../support/process.ts';

t.test('sums that cannot be saved are told of once an hour, and when they can be again', async (t) => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const line = (_: object, message: string) => lines.push(message);
  const log: Logger = { debug: () => undefined, info: line, warn: line, error: line };
  let served = 0;
  const toSave = () => ({ lifetime: { served: ++served } });
  const path = join(t.testdir(), 'history.json');
  // No file takes the place of a directory.
  mkdirSync(path);
  const history = { toSave } as unknown as History;
  const recorder = new Recorder({ history, path, clock, log, sample: async () => undefined });
  recorder.start();
  /** Resolves when it was tried and the next step is set. */
  const step = async (ms: number) => {
    t.equal(clock.timers, 1);
    clock.advance(ms);
    await until('it was tried', () => clock.timers === 1);
  };
  for (let tries = 0; tries < 10; tries++) await step(60_000);
  t.same(lines, ['the figures cannot be saved']);
  await step(3_600_000);
  t.same(lines, ['the figures cannot be saved', 'the figures cannot be saved']);
  rmdirSync(path);
  await step(60_000);
  t.same(lines.slice(2), ['the figures can be saved again']);
  await step(60_000);
  await recorder.stop();
  t.equal(lines.length, 3);
});
