import fc from 'fast-check';
import t from 'tap';

import { RangeSet, type ByteRange } from '../../../src/core/range-set.ts';
import { nextRanges } from '../../../src/actors/transfers/range-plan.ts';

const MIB = 1024 * 1024;
const input = fc
  .record({
    size: fc.integer({ min: 1, max: 200 * MIB }),
    have: fc.array(fc.tuple(fc.nat(200 * MIB), fc.nat(20 * MIB)), { maxLength: 6 }),
    inFlight: fc.array(fc.tuple(fc.nat(200 * MIB), fc.integer({ min: 1, max: 8 * MIB })), { maxLength: 4 }),
    foci: fc.array(fc.nat(220 * MIB), { minLength: 1, maxLength: 3 }),
    jobBytes: fc.integer({ min: MIB, max: 32 * MIB }),
    connections: fc.integer({ min: 1, max: 16 }),
  })
  .map(({ have, inFlight, ...rest }) => {
    const set = new RangeSet();
    for (const [start, length] of have) set.add(start, Math.min(start + length, rest.size));
    const flying: ByteRange[] = [];
    for (const [start, length] of inFlight) {
      const end = Math.min(start + length, rest.size);
      if (start < end && flying.every((other) => other.end <= start || end <= other.start)) flying.push({ start, end });
    }
    return { ...rest, have: set, inFlight: flying };
  });

t.test('ranges never overlap each other, what is there or what is under way, and lie in the file', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const taken = plan.have.clone();
      for (const { start, end } of plan.inFlight) taken.add(start, end);
      for (const { start, end } of nextRanges(plan)) {
        if (start >= end || start < 0 || end > plan.size) throw new Error('outside');
        const before = taken.bytes;
        taken.add(start, end);
        if (taken.bytes !== before + end - start) throw new Error('overlap');
      }
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('there are never more ranges under way than connections', (t) => {
  fc.assert(
    fc.property(
      input,
      (plan) => nextRanges(plan).length + plan.inFlight.length <= Math.max(plan.connections, plan.inFlight.length, 1),
    ),
  );
  t.end();
});

t.test('what is waited for comes first', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const taken = plan.have.clone();
      for (const { start, end } of plan.inFlight) taken.add(start, end);
      const [first] = nextRanges(plan);
      if (first === undefined || (plan.size <= 4 * MIB && plan.have.bytes === 0)) return true;
      const foci = plan.foci.map((at) => Math.min(at, plan.size));
      const focus = foci.find((at) => !taken.covers(at, at + 1)) ?? foci[0] ?? 0;
      const needed = taken.missing(focus, plan.size)[0] ?? taken.missing(0, focus)[0];
      return first.start === needed?.start;
    }),
  );
  t.end();
});

t.test('readers take turns, first those whose next byte is not under way', (t) => {
  const inFlight = [{ start: 0, end: 4 * MIB }];
  const plan = { size: 100 * MIB, have: new RangeSet(), inFlight, jobBytes: 4 * MIB, connections: 4 };
  t.strictSame(
    nextRanges({ ...plan, foci: [0, 50 * MIB] }).map(({ start }) => start / MIB),
    [50, 4, 54],
  );
  t.end();
});

t.test('done one after the other the ranges cover the file, exactly once', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const have = plan.have.clone();
      for (const { start, end } of plan.inFlight) have.add(start, end);
      for (let rounds = 0; !have.covers(0, plan.size); rounds++) {
        const ranges = nextRanges({ ...plan, have, inFlight: [] });
        if (ranges.length === 0 || rounds > 1000) throw new Error('stuck');
        for (const { start, end } of ranges) {
          const before = have.bytes;
          have.add(start, end);
          if (have.bytes - before !== end - start) throw new Error('twice');
        }
      }
    }),
  );
  t.end();
});
