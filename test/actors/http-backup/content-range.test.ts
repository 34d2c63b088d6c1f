import fc from 'fast-check';
import t from 'tap';

import { parseContentRange } from '../../../src/actors/http-backup/content-range.ts';

t.test('what is written is read back', (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.option(fc.nat(), { nil: undefined }), (start, length, rest) => {
      const end = start + length + 1;
      const total = rest === undefined ? undefined : end + rest;
      const parsed = parseContentRange(`bytes ${start}-${end - 1}/${total ?? '*'}`);
      return parsed?.start === start && parsed.end === end && parsed.total === total;
    }),
  );
  t.end();
});

t.test('anything else is nothing, and never an impossible range', (t) => {
  for (const bad of [
    '',
    'bytes',
    'bytes 0-0',
    'bytes 5-4/10',
    'bytes 0-10/10',
    'bytes 0-9/5',
    'bytes */10',
    'bytes -1-5/10',
    'bytes 0-9007199254740992/*',
    'bytes 0-1/10, bytes 2-3/10',
    'octets 0-1/2',
  ]) {
    t.equal(parseContentRange(bad), undefined, bad);
  }
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.integer(), fc.integer(), fc.integer()).map(([a, b, c]) => `bytes ${a}-${b}/${c}`),
      ),
      (text) => {
        const range = parseContentRange(text);
        return (
          range === undefined || (range.start >= 0 && range.start < range.end && range.end <= (range.total ?? Infinity))
        );
      },
    ),
  );
  t.end();
});
