import fc from 'fast-check';
import t from 'tap';

import { hedgeStep } from '../../../src/actors/transfers/hedge-step.ts';

const state = fc.record({
  covered: fc.boolean(),
  mirrorRuns: fc.boolean(),
  mirrorWroteAll: fc.boolean(),
  peersRun: fc.boolean(),
  peersWroteAll: fc.boolean(),
});

t.test('a range is settled only when nobody can write to it any more', (t) => {
  fc.assert(
    fc.property(state, (now) => {
      const mirrorMayWrite = now.mirrorRuns && !now.mirrorWroteAll;
      const peersMayWrite = now.peersRun && !now.peersWroteAll;
      return (hedgeStep(now) === 'settled') === (!mirrorMayWrite && !peersMayWrite);
    }),
  );
  t.end();
});

t.test('nobody who still writes what is missing is cancelled', (t) => {
  fc.assert(fc.property(state, (now) => now.covered || !hedgeStep(now).startsWith('cancel')));
  t.end();
});

t.test('once all is there it comes to an end, whoever was first', (t) => {
  fc.assert(
    fc.property(state, (start) => {
      let now = { ...start, covered: true };
      for (let steps = 0; steps < 3; steps++) {
        const step = hedgeStep(now);
        if (step === 'settled') return true;
        if (step === 'cancel-mirror') now = { ...now, mirrorRuns: false };
        if (step === 'cancel-peers') now = { ...now, peersRun: false };
      }
      return false;
    }),
  );
  t.end();
});
