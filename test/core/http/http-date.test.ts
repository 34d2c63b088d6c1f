import fc from 'fast-check';
import t from 'tap';
import { formatHttpDate, parseHttpDate } from '../../../src/core/http/http-date.ts';

const NOW = Date.UTC(2026, 0, 1);
const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37);

t.test('the three forms of RFC 9110 are read', async (t) => {
  t.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT', NOW), EXAMPLE);
  t.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW), EXAMPLE);
  t.equal(parseHttpDate('Sun Nov  6 08:49:37 1994', NOW), EXAMPLE);
});

t.test('years of two digits lie at most 50 years ahead', async (t) => {
  t.equal(parseHttpDate('Monday, 06-Jan-76 00:00:00 GMT', NOW), Date.UTC(2076, 0, 6));
  t.equal(parseHttpDate('Monday, 06-Jan-77 00:00:00 GMT', NOW), Date.UTC(1977, 0, 6));
});

t.test('what is no date is none', async (t) => {
  const bad = [
    '',
    '0',
    '-1',
    'yesterday',
    '2026-01-01',
    'Sun, 31 Feb 2026 00:00:00 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
  ];
  for (const text of bad) t.equal(parseHttpDate(text, NOW), undefined, text);
  t.equal(parseHttpDate(undefined, NOW), undefined);
});

t.test('a leap second is the last second of its minute', async (t) => {
  t.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW), Date.UTC(2016, 11, 31, 23, 59, 59));
});

t.test('what is written is read back', async () => {
  const date = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });
  fc.assert(
    fc.property(
      date,
      (written) =>
        parseHttpDate(formatHttpDate(written.getTime()), NOW) === Math.floor(written.getTime() / 1000) * 1000,
    ),
  );
});
