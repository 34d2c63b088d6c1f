import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CatalogueStore } from '../../../src/actors/packages-parser/catalogue-store.ts';
import type { CatalogueReaderProtocol } from '../../../src/actors/packages-parser/collaborators.ts';
import { Publisher } from '../../../src/actors/packages-parser/publisher.ts';
import type { Logger } from '../../../src/core/logging.ts';
import { spawn } from '../../../src/kernel/actor.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { Recorder } from '../../kernel/fixtures/recorder.ts';
import { until } from '../../support/process.ts';

t.test('a catalogue that cannot be saved is told of once an hour, and when it can be again', async (t) => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const line = (_: object, message: string) => lines.push(message);
  const log: Logger = { debug: () => undefined, info: line, warn: line, error: line };
  const catalogueChanged = () => true as const;
  const gateway = spawn<CatalogueReaderProtocol>({
    name: 'gateway',
    log: new Recorder(),
    behaviour: { catalogueChanged },
  });
  t.teardown(() => gateway.stop());
  const dir = t.testdir();
  const state = () => ({ saved: { archives: [], uses: [] }, update: { archives: [], segments: new Map() } });
  const store = new CatalogueStore(dir, log);
  const publisher = new Publisher({ gateway: gateway.ref, store, clock, log, state });
  const file = join(dir, 'state.json');
  // No file takes the place of a directory.
  mkdirSync(file);
  /** Comes to nothing or not; resolves when the next look is set. */
  const look = async (ms: number) => {
    const before = clock.timers;
    t.equal(before, 1);
    clock.advance(ms);
    await until('it was tried again', () => clock.timers === before);
  };
  await publisher.publish();
  await until('it was tried', () => clock.timers === 1);
  for (let tries = 0; tries < 10; tries++) await look(30_000);
  t.same(lines, ['the catalogue cannot be saved']);
  await look(3_600_000 - 300_000);
  t.same(lines, ['the catalogue cannot be saved', 'the catalogue cannot be saved']);
  rmSync(file, { recursive: true });
  await look(30_000);
  t.equal(lines.at(-1), 'the catalogue can be saved again');
  await look(30_000);
  t.equal(lines.length, 3);
  await publisher.stop();
  t.equal(clock.timers, 0);
});
