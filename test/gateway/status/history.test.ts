import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import t from 'tap';

import { loadHistory, saveHistory } from '../../../src/gateway/status/history-file.ts';
import {
  DAY_MS,
  History,
  HOUR_MS,
  MAX_DAYS,
  MAX_HOURS,
  MAX_STEPS,
  NOTHING,
  saved,
  type Moved,
} from '../../../src/gateway/status/history.ts';
import { Recorder } from '../../../src/gateway/status/recorder.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';

const moved = (some: Partial<Moved>): Moved => ({ ...NOTHING, ...some });
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

t.test('a sample is a rate, and part of its hour and its day', async (t) => {
  const history = new History(0);
  history.sample(moved({ mirror: 5000, cache: 1000 }), 5000);
  history.sample(moved({ mirror: 5000, cache: 4000 }), HOUR_MS + 1000);
  t.match(history.steps[0], { at: 5000, seconds: 5, mirror: 1000, cache: 200 });
  t.match(history.hours(3, HOUR_MS + 2000), [
    { at: -HOUR_MS, mirror: 0 },
    { at: 0, mirror: 5000, cache: 1000 },
    { at: HOUR_MS, mirror: 0, cache: 3000 },
  ]);
  t.match(history.days(1, DAY_MS - 1), [{ mirror: 5000, cache: 4000 }]);
});

t.test('a counter that begins anew is not less than nothing', async (t) => {
  const history = new History(0);
  history.sample(moved({ mirror: 5000 }), 1000);
  history.sample(moved({ mirror: 300 }), 2000);
  t.equal(history.lifetime(moved({ mirror: 300 })).mirror, 5300);
});

t.test('what was moved since the last sample is part of the sums', async (t) => {
  const history = new History(0);
  history.sample(moved({ cache: 10 }), 1000);
  t.equal(saved(history.lifetime(moved({ cache: 25, peers: 5 }))), 30);
});

t.test('whatever the clock and the counters do, lists are bounded and sums are right', async (t) => {
  const step = fc.record({
    ms: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: -DAY_MS, max: 3 * DAY_MS })),
    more: fc.integer({ min: 0, max: 1_000_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      let now = 1_700_000_000_000;
      let mirror = 0;
      const history = new History(now);
      for (const { ms, more } of steps) {
        now += ms;
        mirror += more;
        history.sample(moved({ mirror }), now);
      }
      const { lifetime, hours, days } = history.toSave();
      t.equal(lifetime.mirror, mirror);
      t.ok(history.steps.length <= MAX_STEPS && hours.length <= MAX_HOURS && days.length <= MAX_DAYS);
      t.ok(hours.every(({ at }, index) => index === 0 || at > (hours[index - 1]?.at ?? 0)));
      t.ok(history.steps.every((each) => each.mirror >= 0));
    }),
    { numRuns: 30 },
  );
});

t.test('sums outlive the process; a file that is no history is none', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'dt-history-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, 'history.json');
  t.equal(await loadHistory(path, quiet), undefined);
  const clock = new ManualClock();
  const history = new History(0);
  let counters = moved({ mirror: 100 });
  const recorder = new Recorder({
    history,
    path,
    clock,
    log: quiet,
    sample: async () => history.sample(counters, clock.now()),
  });
  recorder.start();
  clock.advance(1000);
  counters = moved({ mirror: 100, cache: 900 });
  await recorder.stop();
  t.equal(clock.timers, 0);
  const again = new History(5000, await loadHistory(path, quiet));
  t.match(again.lifetime(moved({ cache: 1 })), { mirror: 100, cache: 901 });
  t.equal(again.since, 0);
  const good = JSON.parse(await readFile(path, 'utf8')) as object;
  for (const bad of ['', '{', '[]', '{"version":2}', JSON.stringify({ ...good, since: -1 }), ' '.repeat(300_000)]) {
    await writeFile(path, bad);
    t.equal(await loadHistory(path, quiet), undefined, bad.slice(0, 30));
  }
  await saveHistory(path, again.toSave());
  t.match(await loadHistory(path, quiet), { lifetime: { mirror: 100 } });
});

t.test('spans of the future, from a clock that was wrong, are forgotten', async (t) => {
  const ahead = new History(10 * DAY_MS);
  ahead.sample(moved({ cache: 5 }), 10 * DAY_MS);
  const history = new History(DAY_MS, ahead.toSave());
  history.sample(moved({ cache: 7 }), DAY_MS + 1);
  t.match(history.days(1, DAY_MS + 2), [{ cache: 7 }]);
  t.equal(history.lifetime(moved({ cache: 7 })).cache, 12);
});
