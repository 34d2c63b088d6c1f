import fc from 'fast-check';
import t from 'tap';

import { RangeSet } from '../../../src/core/range-set.ts';
import { blocksOf } from '../../../src/actors/transfers/blame.ts';
import { union } from '../../../src/actors/transfers/source-plan.ts';

const SIZE = 4000;
const MAX = 256;
const peer = (n: number) => ({ address: '192.0.2.1', peerId: String(n) });
const range = fc
  .tuple(fc.nat(SIZE), fc.integer({ min: 1, max: 900 }))
  .map(([start, length]) => ({ start, end: start + length }));
const input = fc.record({
  contributions: fc.array(
    fc.tuple(range, fc.nat(3)).map(([{ start, end }, n]) => ({ peer: peer(n), start, end })),
    { maxLength: 12 },
  ),
  came: fc.array(range, { maxLength: 5 }).map((ranges) => union(ranges)),
  contested: fc.array(range, { maxLength: 2 }),
});

t.test('blocks are small, ascending, disjoint, and all that came', (t) => {
  fc.assert(
    fc.property(input, ({ contributions, came, contested }) => {
      const blocks = blocksOf(contributions, came, contested, MAX);
      const all = new RangeSet();
      let position = 0;
      for (const { start, end } of blocks) {
        if (start < position || end <= start || end - start > MAX) return false;
        position = end;
        all.add(start, end);
      }
      return JSON.stringify(all) === JSON.stringify(union(came.ranges, contested));
    }),
  );
  t.end();
});

t.test('the last who wrote a byte is who is asked about it, unless somebody else may have', (t) => {
  fc.assert(
    fc.property(input, fc.nat(SIZE), ({ contributions, came, contested }, byte) => {
      const has = ({ start, end }: { start: number; end: number }) => start <= byte && byte < end;
      const block = blocksOf(contributions, came, contested, MAX).find(has);
      if (contested.some(has)) return block !== undefined && block.peer === undefined;
      if (!came.ranges.some(has)) return block === undefined;
      return block?.peer === contributions.findLast(has)?.peer;
    }),
    { numRuns: 1000 },
  );
  t.end();
});
