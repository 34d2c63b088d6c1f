/** The results as a table for a terminal, a column for each target. Pure. */
import type { Latency } from '../measure/latency.ts';
import type { RunResult } from '../results.ts';
import { bytes, count, milliseconds, seconds } from './units.ts';

const LIMITS: Record<RunResult['limit'], string> = {
  harness: 'the harness (not a measurement of the target)',
  processors: 'processors',
  target: 'the target',
  none: 'neither was busy',
};

export interface Row {
  readonly name: string;
  readonly values: readonly string[];
}

export function rowsOf(results: readonly RunResult[]): Row[] {
  const row = (name: string, value: (result: RunResult) => string): Row => ({ name, values: results.map(value) });
  const latency = (name: string, of: (result: RunResult) => Latency | null): Row[] => [
    row(`${name}, p50`, (result) => milliseconds(of(result)?.p50)),
    row(`${name}, p90`, (result) => milliseconds(of(result)?.p90)),
    row(`${name}, p99`, (result) => milliseconds(of(result)?.p99)),
    row(`${name}, max`, (result) => milliseconds(of(result)?.max)),
  ];
  return [
    row('time', (result) => seconds(result.seconds) + (result.cutShort ? ' (cut short)' : '')),
    row('files, right', ({ files }) => count(files)),
    row('bytes, right', ({ verifiedBytes }) => bytes(verifiedBytes)),
    row('bytes a second', ({ bytesPerSecond }) => `${bytes(bytesPerSecond)}/s`),
    row('files a second', ({ filesPerSecond }) => count(filesPerSecond)),
    row('sessions done', ({ sessions }) => count(sessions.done)),
    row('sessions failed', ({ sessions }) => count(sessions.failed)),
    row('sessions left', ({ sessions }) => count(sessions.left)),
    row('errors', ({ errors }) => kinds(errors)),
    row('tried again', ({ retries }) => kinds(retries)),
    ...latency('first byte of packages', ({ latency }) => latency.firstByte),
    ...latency('first byte of lists', ({ latency }) => latency.listsFirstByte),
    ...latency('whole file', ({ latency }) => latency.complete),
    ...latency('session', ({ latency }) => latency.session),
    row('mirror sent', ({ mirror }) => bytes(mirror.packageBytes + mirror.otherBytes)),
    row('copies of each package', ({ mirror }) => mirror.copies?.toFixed(3) ?? '0'),
    row('of what clients got', ({ mirror, verifiedBytes }) => percent(mirror.packageBytes / (verifiedBytes || 1))),
    row('memory at most', ({ cost }) => (cost === null ? '-' : bytes(cost.peakResident))),
    row('memory, shared divided', ({ cost }) => bytes(cost?.peakProportional)),
    row('processor', ({ cost }) => seconds(cost?.cpuSeconds)),
    row('processor a GB', ({ cost, verifiedBytes }) =>
      seconds(cost === null ? undefined : cost.cpuSeconds / (verifiedBytes / 1e9)),
    ),
    row('event loop late at most', ({ cost }) => milliseconds(cost?.loopDelayMs)),
    row('harness, processor', ({ harness }) => seconds(harness.cpuSeconds)),
    row('harness, busy', ({ harness }) => percent(Math.max(0, ...harness.busy))),
    row('harness, late at p99', ({ harness }) => milliseconds(harness.lateMs.p99)),
    row('machine idle', ({ harness }) => percent(harness.idle)),
    row('limited by', ({ limit }) => LIMITS[limit]),
  ];
}

export function renderTable(results: readonly RunResult[]): string {
  const rows: Row[] = [{ name: '', values: results.map(({ target }) => target) }, ...rowsOf(results)];
  const columns = [rows.map(({ name }) => name), ...results.map((_, i) => rows.map(({ values }) => values[i] ?? ''))];
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  return rows
    .map(({ name, values }) =>
      [name.padEnd(widths[0] ?? 0), ...values.map((value, i) => value.padStart(widths[i + 1] ?? 0))].join('  '),
    )
    .join('\n');
}

function kinds(counts: Readonly<Record<string, number>>): string {
  const all = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  return all.length === 0 ? '0' : all.map(([code, times]) => `${count(times)} ${code}`).join(', ');
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
