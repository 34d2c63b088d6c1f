import fc from 'fast-check';
import t from 'tap';

import { FairQueue } from '../../../src/core/swarm/fair-queue.ts';

const always = () => true;

t.test("each peer's items come in order, and no peer has two turns while another waits", (t) => {
  const items = fc.array(fc.nat(4), { maxLength: 100 });
  fc.assert(
    fc.property(items, (keys) => {
      const queue = new FairQueue<number, number>();
      const sent = new Map<number, number[]>();
      for (const [at, key] of keys.entries()) {
        queue.push(key, at);
        sent.set(key, [...(sent.get(key) ?? []), at]);
      }
      const got = new Map<number, number[]>();
      const turns: number[] = [];
      for (let key = queue.turn(always); key !== undefined; key = queue.turn(always)) {
        if (queue.turn(always) !== key || queue.peek(key) === undefined) return false;
        got.set(key, [...(got.get(key) ?? []), queue.shift(key) as number]);
        queue.served(key);
        turns.push(key);
      }
      for (const [at, key] of turns.entries()) {
        const again = turns.indexOf(key, at + 1);
        const left = new Set(turns.slice(at + 1)).size;
        if (again >= 0 && new Set(turns.slice(at, again)).size < left) return false;
      }
      return JSON.stringify([...got].toSorted()) === JSON.stringify([...sent].toSorted());
    }),
  );
  t.end();
});

t.test('who may have no turn is passed over and does not lose its place', (t) => {
  const queue = new FairQueue<string, number>();
  queue.push('a', 1);
  queue.push('b', 2);
  t.equal(
    queue.turn((key) => key === 'b'),
    'b',
  );
  queue.shift('b');
  queue.served('b');
  t.equal(queue.turn(always), 'a');
  t.equal(
    queue.turn(() => false),
    undefined,
  );
  t.end();
});

t.test('items are taken out again', (t) => {
  const queue = new FairQueue<string, number>();
  for (const n of [1, 2, 3, 4]) queue.push('a', n);
  t.strictSame(
    queue.take('a', (n) => n % 2 === 0),
    [2, 4],
  );
  t.equal(queue.length('a'), 2);
  t.strictSame(queue.take('a', always), [1, 3]);
  t.equal(queue.turn(always), undefined);
  t.strictSame(queue.take('none', always), []);
  queue.push('a', 5);
  queue.drop('a');
  t.equal(queue.length('a'), 0);
  t.equal(queue.shift('a'), undefined);
  t.end();
});
