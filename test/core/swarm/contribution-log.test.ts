import fc from 'fast-check';
import t from 'tap';

import { ContributionLog } from '../../../src/core/swarm/contribution-log.ts';

const SIZE = 40;
const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'remove'),
  a: fc.nat(SIZE),
  b: fc.nat(SIZE),
  writer: fc.constantFrom('x', 'y', 'z'),
});

t.test('the last writer of each byte is known, and neighbours of one writer are one entry', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(SIZE), fc.nat(SIZE), (steps, from, to) => {
      const log = new ContributionLog<string>(1000);
      const bytes = new Array<string>(SIZE).fill('');
      for (const { kind, a, b, writer } of steps) {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        if (kind === 'add') log.add(start, end, writer);
        else log.remove(start, end);
        bytes.fill(kind === 'add' ? writer : '', start, end);
      }
      const noted = new Array<string>(SIZE).fill('');
      let last = { end: -1, writer: '' };
      for (const { start, end, writer } of log.shares) {
        if (end <= start || start < last.end) return false;
        if (start === last.end && writer === last.writer) return false;
        last = { end, writer };
        noted.fill(writer, start, end);
      }
      const inside = new Array<string>(SIZE).fill('');
      for (const { start, end, writer } of log.within(from, to)) inside.fill(writer, start, end);
      const expected = bytes.map((writer, at) => (at >= from && at < to ? writer : ''));
      return noted.join(',') === bytes.join(',') && inside.join(',') === expected.join(',');
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('a log says when it is full before it would have to forget', (t) => {
  const log = new ContributionLog<number>(10);
  for (let at = 0; !log.full; at++) log.add(at, at + 1, at);
  t.ok(log.shares.length >= 8 && log.shares.length <= 10);
  t.end();
});
