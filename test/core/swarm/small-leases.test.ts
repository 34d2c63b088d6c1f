import fc from 'fast-check';
import t from 'tap';

import { MAX_ALLOWED_FAST, SmallLeases } from '../../../src/core/swarm/small-leases.ts';

t.test('small files are allowed fast in order of their leases, 64 at a time, and none is forgotten', (t) => {
  const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat(200)), { maxLength: 300 });
  fc.assert(
    fc.property(steps, (steps) => {
      const leases = new SmallLeases();
      const open: number[] = [];
      const told = new Set<number>();
      let next = 0;
      for (const step of steps) {
        if (step === 'add') {
          open.push(next);
          if (leases.add(next)) told.add(next);
          next += 1;
        } else {
          const at = open.indexOf(step);
          if (at >= 0) open.splice(at, 1);
          const removed = leases.remove(step);
          if (removed.was !== told.delete(step)) return false;
          if (removed.next !== undefined) told.add(removed.next);
        }
        if (leases.size !== Math.min(open.length, MAX_ALLOWED_FAST)) return false;
        // What the peer was told is what holds, and the oldest leases are among them.
        if (told.size !== leases.size || ![...told].every((index) => leases.has(index))) return false;
        if (!open.slice(0, MAX_ALLOWED_FAST).every((index) => leases.has(index))) return false;
      }
      return true;
    }),
  );
  t.end();
});
