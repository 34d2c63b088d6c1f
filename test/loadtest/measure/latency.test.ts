import t from 'tap';
import { createLatencies, distribution, record, summary } from '../../../scripts/loadtest/measure/latency.ts';

t.test('percentiles are exact to three digits, the largest value is kept', (t) => {
  const latencies = createLatencies();
  for (let ms = 1; ms <= 1000; ms++) record(latencies, ms);
  const found = summary(latencies);
  for (const [key, expected] of [
    ['p50', 500],
    ['p90', 900],
    ['p99', 990],
    ['max', 1000],
    ['mean', 500.5],
  ] as const) {
    t.ok(Math.abs((found?.[key] ?? 0) / expected - 1) < 0.002, `${key} ${found?.[key]}`);
  }
  t.equal(found?.count, 1000);
  t.end();
});

t.test('nothing recorded is no figure; an hour is the longest, zero is a microsecond', (t) => {
  const latencies = createLatencies();
  t.equal(summary(latencies), undefined);
  t.same(distribution(latencies), []);
  record(latencies, 0);
  record(latencies, 1e9);
  t.match(summary(latencies), { count: 2, p50: 0.001 });
  t.ok(Math.abs((summary(latencies)?.max ?? 0) / 3_600_000 - 1) < 0.002);
  t.end();
});

t.test('a distribution rises, ends with the largest value, and says no more than the values do', (t) => {
  const latencies = createLatencies();
  for (let ms = 1; ms <= 100; ms++) record(latencies, ms);
  const points = distribution(latencies);
  t.ok(
    points.every(
      ([percentile, ms], i) => i === 0 || (percentile > (points[i - 1]?.[0] ?? 0) && ms >= (points[i - 1]?.[1] ?? 0)),
    ),
  );
  t.equal(points.at(-1)?.[0], 100);
  t.notOk(
    points.some(([percentile]) => percentile > 99 && percentile < 100),
    'no p99.9 of a hundred values',
  );
  t.end();
});
