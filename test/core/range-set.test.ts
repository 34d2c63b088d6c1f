import fc from 'fast-check';
import t from 'tap';

import { RangeSet } from '../../src/core/range-set.ts';

const SIZE = 64;
const offset = fc.nat(SIZE);
const step = fc.record({ kind: fc.constantFrom('add', 'remove'), start: offset, end: offset });

/** What the set should be: one flag for each byte. */
function model(steps: readonly { kind: string; start: number; end: number }[]): { set: RangeSet; bits: boolean[] } {
  const set = new RangeSet();
  const bits = new Array<boolean>(SIZE).fill(false);
  for (const { kind, start, end } of steps) {
    if (kind === 'add') set.add(start, end);
    else set.remove(start, end);
    if (end > start) bits.fill(kind === 'add', start, end);
  }
  return { set, bits };
}

const steps = fc.array(step, { maxLength: 40 });

t.test('a set of ranges is the same as one flag for each byte', (t) => {
  fc.assert(
    fc.property(steps, offset, offset, (all, a, b) => {
      const { set, bits } = model(all);
      const there = bits.flatMap((bit, at) => (bit ? [at] : []));
      const listed = set.ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, n) => start + n));
      t.strictSame(listed, there);
      if (set.bytes !== there.length) throw new Error('bytes');
      const end = bits.indexOf(false, a);
      const expected = bits[a] === true ? (end < 0 ? SIZE : end) : a;
      if (set.contiguousEnd(a) !== expected) throw new Error('contiguousEnd');
      if (set.covers(a, b) !== bits.slice(a, Math.max(a, b)).every(Boolean)) throw new Error('covers');
      const missing = set
        .missing(a, b)
        .flatMap(({ start, end }) => Array.from({ length: end - start }, (_, n) => start + n));
      const absent = bits.flatMap((bit, at) => (!bit && at >= a && at < b ? [at] : []));
      return JSON.stringify(missing) === JSON.stringify(absent);
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('ranges are sorted, not empty, disjoint and not adjacent', (t) => {
  fc.assert(
    fc.property(steps, (all) => {
      const { ranges } = model(all).set;
      return ranges.every(({ start, end }, at) => start < end && (at === 0 || (ranges[at - 1]?.end ?? 0) < start));
    }),
  );
  t.end();
});

t.test('what is written is read back, and a copy stands on its own', (t) => {
  fc.assert(
    fc.property(steps, (all) => {
      const { set } = model(all);
      const before = JSON.stringify(set);
      const back = RangeSet.from(JSON.parse(before));
      const copy = set.clone();
      copy.add(0, SIZE);
      return JSON.stringify(back) === before && JSON.stringify(set) === before;
    }),
  );
  t.end();
});

t.test('anything that is not a list of sane ranges is an empty set', (t) => {
  fc.assert(
    fc.property(fc.anything(), (data) => {
      const { ranges } = RangeSet.from(data);
      return ranges.every(({ start, end }) => Number.isSafeInteger(start) && Number.isSafeInteger(end) && start < end);
    }),
  );
  for (const bad of [
    [[5, 5]],
    [[-1, 3]],
    [[0, 1.5]],
    [[0, 2 ** 60]],
    [['0', 1]],
    [[1]],
    [null],
    { 0: [0, 1] },
    '[[0,1]]',
  ]) {
    t.equal(RangeSet.from(bad).bytes, 0, JSON.stringify(bad));
  }
  t.end();
});
