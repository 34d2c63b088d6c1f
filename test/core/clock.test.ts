/** Clocks for what is waited for, where the wall clock is set back. */
import t from 'tap';

import { onwards } from '../../src/core/clock.ts';
import { unhurriedClock } from '../../src/core/unhurried-clock.ts';
import { ManualClock } from '../kernel/fixtures/manual-clock.ts';

t.test('a clock that is set back goes on from where it was', async (t) => {
  let set = 0;
  const manual = new ManualClock();
  const clock = onwards({ now: () => manual.now() + set, setTimeout: (call, ms) => manual.setTimeout(call, ms) });
  const passed: number[] = [];
  const pass = (ms: number) => {
    manual.advance(ms);
    passed.push(clock.now());
  };
  pass(100);
  set = -3_600_000;
  pass(0);
  pass(50);
  set = 0;
  pass(0);
  set = -1000;
  pass(10);
  t.strictSame(passed, [100, 100, 150, 3_600_150, 3_600_150]);
  let rung = false;
  clock.setTimeout(() => (rung = true), 20);
  manual.advance(20);
  t.ok(rung);
});

t.test('the swarms go by time that passes', async (t) => {
  const { now } = Date;
  t.teardown(() => (Date.now = now));
  const before = unhurriedClock.now();
  Date.now = () => now() - 3_600_000;
  const after = unhurriedClock.now();
  t.ok(after >= before && after < before + 60_000, `${after - before}`);
});
