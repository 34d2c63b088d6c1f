import t from 'tap';
import { packageSizes, sizeAt } from '../../../scripts/loadtest/archive/sizes.ts';

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
const at = (sizes: readonly number[], share: number): number => sizes[Math.floor(share * sizes.length)] ?? 0;

t.test('the quantiles are Debian’s: smallest, median, p90, p99, largest', (t) => {
  t.same([0, 0.5, 0.9, 0.99, 1].map(sizeAt), [880, 59_164, 1_452_824, 21_958_880, 1_535_845_016]);
  t.end();
});

t.test('as many packages as Debian has are as large as Debian’s', (t) => {
  const sizes = packageSizes(63_440);
  const mean = sum(sizes) / sizes.length;
  t.ok(Math.abs(mean / 1_501_529 - 1) < 0.05, `mean ${mean}`);
  const over = (bytes: number): number => sum(sizes.filter((size) => size > bytes)) / sum(sizes);
  t.ok(Math.abs(over(1 << 20) - 0.92) < 0.02, 'over 1 MiB is 92 % of the bytes');
  t.ok(Math.abs(over(100 << 20) - 0.34) < 0.04, 'over 100 MiB is 34 % of the bytes');
  t.end();
});

t.test('a smaller total cuts the largest files and leaves the rest as it is', (t) => {
  const natural = packageSizes(1000);
  const cut = packageSizes(1000, 200e6);
  t.ok(Math.abs(sum(cut) / 200e6 - 1) < 0.001, `${sum(cut)} bytes`);
  t.same(cut.slice(0, 800), natural.slice(0, 800), 'the smaller four fifths');
  t.equal(at(cut, 0.5), at(natural, 0.5));
  t.equal(cut.at(-1), at(cut, 0.99), 'the largest are as large as one another');
  t.end();
});

t.test('very small and very large totals change all sizes', (t) => {
  const tiny = packageSizes(100, 100_000);
  t.ok(Math.abs(sum(tiny) / 100_000 - 1) < 0.01);
  t.ok(tiny.every((size) => size >= 1));
  const natural = packageSizes(100);
  const large = packageSizes(100, 3 * sum(natural));
  t.ok(Math.abs((large[50] ?? 0) / (natural[50] ?? 1) - 3) < 0.01);
  t.end();
});
