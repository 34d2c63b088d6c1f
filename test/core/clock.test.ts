/** Clocks for what takes time, while the machine's clock is set. */
import t from 'tap';

import { systemClock } from '../../src/core/clock.ts';
import { unhurriedClock } from '../../src/core/unhurried-clock.ts';
import { kernelClock } from '../../src/kernel/kernel-clock.ts';

t.test("time passes whatever the machine's clock is set to, which the date follows", async (t) => {
  const { now } = Date;
  t.teardown(() => (Date.now = now));
  for (const set of [-3_600_000, 3_600_000]) {
    for (const clock of [systemClock, unhurriedClock, kernelClock]) {
      Date.now = now;
      const before = clock.now();
      Date.now = () => now() + set;
      const after = clock.now();
      t.ok(after >= before && after < before + 60_000, `${after - before}`);
    }
    t.ok(Math.abs(systemClock.date() - now() - set) < 60_000);
  }
});
