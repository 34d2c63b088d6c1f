import t from 'tap';
import { bytes, count, milliseconds, seconds } from '../../../scripts/loadtest/report/units.ts';

t.test('figures have three digits and a unit; what is not there is a dash', (t) => {
  t.same([0, 999, 59_164, 1_452_824, 1.5e9].map(bytes), ['0.00 B', '999 B', '59.2 kB', '1.45 MB', '1.50 GB']);
  t.same([0.1234, 55.55, 3070, 36_000].map(milliseconds), ['0.12 ms', '55.5 ms', '3,070 ms', '36.0 s']);
  t.same([7, 1234.5, 0.5].map(count), ['7', '1,235', '0.50']);
  t.same([bytes(null), milliseconds(undefined), seconds(Number.NaN)], ['-', '-', '-']);
  t.end();
});
