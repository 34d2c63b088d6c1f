import fc from 'fast-check';
import t from 'tap';

import type { Want } from '../../../src/core/method/control.ts';
import { FetchOrder } from '../../../src/core/method/fetch-order.ts';
import type { Sha256 } from '../../../src/core/ids.ts';

const want = (id: number, size: number): Want => ({ id, size, target: '/m/x', sha256: 'a'.repeat(64) as Sha256 });

t.test('small files first, not more at once than allowed', async (t) => {
  const order = new FetchOrder({ running: 2, bytes: 1000, wants: 10 });
  for (const [id, size] of [
    [1, 30],
    [2, 10],
    [3, 20],
  ] as const)
    order.add(want(id, size));
  t.equal(order.next()?.id, 2);
  t.equal(order.next()?.id, 3);
  t.equal(order.next(), undefined);
  order.settled(2);
  t.equal(order.next()?.id, 1);
  t.notOk(order.idle);
});

t.test('what waits to be taken has a bound, which one file may exceed', async (t) => {
  const order = new FetchOrder({ running: 9, bytes: 100, wants: 3 });
  order.add(want(1, 5000));
  t.equal(order.next()?.id, 1);
  order.add(want(2, 1));
  order.settled(1);
  t.equal(order.next(), undefined, 'it is there, and nobody has taken it');
  order.over(1);
  t.equal(order.next()?.id, 2);
  t.ok(order.add(want(3, 1)) && order.add(want(4, 1)));
  t.notOk(order.add(want(5, 1)), 'too many');
  order.over(4);
  order.over(4711);
  t.equal(order.next()?.id, 3);
});

t.test('whatever happens, the bounds hold and every want has its turn', async (t) => {
  const sizes = fc.array(fc.nat(300), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(sizes, fc.nat(5), fc.nat(400), fc.infiniteStream(fc.nat(3)), (all, running, bytes, choices) => {
      const order = new FetchOrder({ running: running + 1, bytes, wants: 100 });
      for (const [id, size] of all.entries()) order.add(want(id, size));
      const started = new Map<number, { size: number; settled: boolean }>();
      const seen = new Set<number>();
      while (seen.size < all.length || started.size > 0) {
        for (let next = order.next(); next !== undefined; next = order.next()) {
          started.set(next.id, { size: next.size, settled: false });
          seen.add(next.id);
        }
        t.ok([...started.values()].filter(({ settled }) => !settled).length <= running + 1);
        const sum = [...started.values()].reduce((total, { size }) => total + size, 0);
        t.ok(sum <= bytes || started.size === 1);
        const [[id, first] = []] = [...started];
        if (id === undefined || first === undefined) throw new Error('nothing may start');
        if (!first.settled && choices.next().value !== 0) {
          first.settled = true;
          order.settled(id);
        } else {
          started.delete(id);
          order.over(id);
        }
      }
      t.ok(order.idle);
    }),
    { numRuns: 50 },
  );
});
