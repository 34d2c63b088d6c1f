import fc from 'fast-check';
import t from 'tap';
import { contentRange, evaluateRange, parseRange, unsatisfiedRange } from '../../../src/core/http/range.ts';

const of = (header: string | undefined, size: number) => evaluateRange(parseRange(header), size);

t.test('a single range is honoured', async (t) => {
  t.same(of('bytes=0-499', 10000), { start: 0, end: 500 });
  t.same(of('bytes=9500-', 10000), { start: 9500, end: 10000 });
  t.same(of('bytes=-500', 10000), { start: 9500, end: 10000 });
  t.same(of('bytes=0-0', 10000), { start: 0, end: 1 });
  t.same(of('BYTES= 5-9 ', 10), { start: 5, end: 10 });
});

t.test('ends beyond the file are cut', async (t) => {
  t.same(of('bytes=5-99999999999999999999999999', 10), { start: 5, end: 10 });
  t.same(of('bytes=-99', 10), { start: 0, end: 10 });
});

t.test('a range that starts beyond the file, or has no bytes, is unsatisfiable', async (t) => {
  for (const header of ['bytes=10-', 'bytes=10-20', 'bytes=-0', `bytes=${'9'.repeat(400)}-`]) {
    t.equal(of(header, 10), 'unsatisfiable', header);
  }
  t.equal(of('bytes=0-', 0), 'unsatisfiable');
  t.equal(of('bytes=-5', 0), 'unsatisfiable');
});

t.test('several ranges, other units and malformed ranges are ignored', async (t) => {
  const ignored = [
    'bytes=0-1,5-6',
    'lines=1-2',
    'bytes=5-2',
    'bytes=-',
    'bytes=',
    'bytes=a-b',
    'bytes 0-1',
    '0-1',
    'bytes=1-2-3',
    'bytes=+1-2',
    'bytes=1.0-',
  ];
  for (const header of [...ignored, '', undefined]) t.equal(of(header, 10), 'full', header ?? 'none');
});

t.test('Content-Range', async (t) => {
  t.equal(contentRange({ start: 0, end: 500 }, 10000), 'bytes 0-499/10000');
  t.equal(unsatisfiedRange(10000), 'bytes */10000');
});

t.test('what is sent lies within the file and within what was asked for', async () => {
  const number = fc.oneof(fc.nat(30), fc.maxSafeNat());
  fc.assert(
    fc.property(number, number, fc.nat(20), (first, last, size) => {
      const range = of(`bytes=${first}-${last}`, size);
      if (range === 'full') return last < first;
      if (range === 'unsatisfiable') return first >= size;
      return range.start === first && range.start < range.end && range.end <= Math.min(size, last + 1);
    }),
  );
});
