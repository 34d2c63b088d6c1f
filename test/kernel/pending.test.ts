import * as fc from 'fast-check';
import t from 'tap';

import { DebtorrentError } from '../../src/core/errors.ts';
import type { Ask } from '../../src/kernel/pending.ts';
import { PendingAsks } from '../../src/kernel/pending.ts';
import { ManualClock } from './fixtures/manual-clock.ts';

const stopped = new DebtorrentError('ACTOR_STOPPED', 'ended');

t.test('asks of one deadline share one timer, answered ones too', async (tt) => {
  const clock = new ManualClock();
  const pending = new PendingAsks({ name: 'actor', clock });
  for (let n = 0; n < 100; n += 1) {
    const ask = pending.open(
      'x',
      1000,
      () => undefined,
      () => undefined,
    );
    pending.resolve(ask, n);
    clock.advance(1);
  }
  tt.equal(clock.timers, 1);
  tt.equal(pending.size, 0);
  clock.advance(2000);
  tt.equal(clock.timers, 0);
});

t.test('the longest deadline does not overflow a timer', async (tt) => {
  const clock = new ManualClock();
  let longest = 0;
  const spy = { now: () => clock.now(), setTimeout: (_: () => void, ms: number) => ((longest = ms), { clear() {} }) };
  new PendingAsks({ name: 'actor', clock: spy }).open(
    'x',
    2 ** 31 - 1,
    () => undefined,
    () => undefined,
  );
  tt.equal(longest, 2 ** 31 - 1);
});

t.test('each ask is settled exactly once, and at its deadline at the latest', async () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('open' as const), ms: fc.integer({ min: 1, max: 100_000 }) }),
    fc.record({ do: fc.constantFrom('resolve' as const, 'reject' as const), which: fc.nat(50) }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
    fc.record({ do: fc.constant('rejectAll' as const) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const clock = new ManualClock();
      const pending = new PendingAsks({ name: 'actor', clock });
      const asks: { ask: Ask; due: number; outcomes: string[]; at: number }[] = [];
      const open = (ms: number): void => {
        const outcomes: string[] = [];
        const entry = { due: clock.now() + ms, outcomes, at: 0 };
        const settle = (outcome: string): void => {
          outcomes.push(outcome);
          entry.at = clock.now();
        };
        const ask = pending.open(
          'x',
          ms,
          () => settle('reply'),
          (error) => settle(error.code),
        );
        asks.push(Object.assign(entry, { ask }));
      };
      for (const step of actions) {
        if (step.do === 'open') open(step.ms);
        else if (step.do === 'advance') clock.advance(step.ms);
        else if (step.do === 'rejectAll') pending.rejectAll(stopped);
        else {
          const one = asks[step.which];
          if (one !== undefined && step.do === 'resolve') pending.resolve(one.ask, 1);
          if (one !== undefined && step.do === 'reject') pending.reject(one.ask, stopped);
        }
        const open_ = asks.filter(({ outcomes }) => outcomes.length === 0);
        if (pending.size !== open_.length) return false;
        if (open_.some(({ ask }) => !pending.isOpen(ask))) return false;
      }
      clock.advance(200_000);
      return asks.every(({ outcomes, due, at, ask }) => {
        const [outcome, ...more] = outcomes;
        const late = at - due;
        if (outcome === undefined || more.length > 0 || pending.isOpen(ask)) return false;
        return outcome !== 'ASK_TIMEOUT' || (late >= 0 && late <= 0.05 * 100_000);
      });
    }),
  );
});

t.test('a deadline is at most one part in 32 late', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (ms) => {
      const clock = new ManualClock();
      let at = -1;
      new PendingAsks({ name: 'actor', clock }).open(
        'x',
        ms,
        () => undefined,
        () => (at = clock.now()),
      );
      clock.advance(2 * ms);
      return at >= ms && at - ms <= ms / 32;
    }),
  );
});
