/** Latencies as HDR histograms: Node's own, which is HdrHistogram; exact to three digits from 1 µs to an hour. */
import { type RecordableHistogram, createHistogram } from 'node:perf_hooks';

const MICROSECONDS = 1000;
const LONGEST_MS = 3_600_000;

export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** @param figures Significant digits, 1 to 5; each more costs ten times the memory */
export function createLatencies(figures = 3): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LONGEST_MS * MICROSECONDS, figures });
}

/** @param ms At least 0; what is over an hour counts as an hour */
export function record(into: RecordableHistogram, ms: number): void {
  into.record(Math.max(1, Math.round(Math.min(ms, LONGEST_MS) * MICROSECONDS)));
}

/** Milliseconds; undefined where nothing was recorded. */
export function summary(from: RecordableHistogram): Latency | undefined {
  if (from.count === 0) return undefined;
  const at = (percentile: number): number => from.percentile(percentile) / MICROSECONDS;
  return {
    count: from.count,
    mean: from.mean / MICROSECONDS,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    max: from.max / MICROSECONDS,
  };
}

/** Shares at which a distribution is drawn: 0 to 99.999 %, closer together towards the end. */
const DRAWN = [
  0, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 96.5, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 99.999,
];

/** Percentile and milliseconds, as far as the number of values gives a percentile a meaning. */
export function distribution(from: RecordableHistogram): (readonly [percentile: number, ms: number])[] {
  if (from.count === 0) return [];
  const meant = DRAWN.filter((percentile) => percentile === 0 || (1 - percentile / 100) * from.count >= 1);
  const points = meant.map(
    (percentile) => [percentile, from.percentile(Math.max(percentile, 1e-9)) / MICROSECONDS] as const,
  );
  return [...points, [100, from.max / MICROSECONDS]];
}
