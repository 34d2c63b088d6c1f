/** What a benchmark reports, when a figure meets its target, and how both are printed. */

/** Met when any of the given bounds holds; ratios are ours / peer, values are in the figure's unit. */
export interface Target {
  readonly maxRatio?: number;
  readonly minRatio?: number;
  readonly maxValue?: number;
  readonly minValue?: number;
}

export interface Figure {
  readonly benchmark: string;
  readonly measure: string;
  readonly unit: string;
  readonly ours: number | null;
  /** Name of what ours is compared with; null when the target is absolute. */
  readonly peer: string | null;
  readonly peerValue: number | null;
  readonly ratio: number | null;
  /** Null where the figure is there to be seen, such as a ratio between two peers. */
  readonly target: string | null;
  readonly met: boolean | null;
  /** Every single measurement, by contestant, in the order taken. */
  readonly raw: Readonly<Record<string, readonly number[]>>;
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The median of ours[i] / peer[i]: pairs of one round share the machine's mood of that minute. */
export function pairedRatio(ours: readonly number[], peer: readonly number[]): number {
  return median(ours.map((value, i) => value / (peer[i] ?? Number.NaN)));
}

export function describeTarget(target: Target, unit: string): string {
  const parts: string[] = [];
  if (target.minValue !== undefined) parts.push(`at least ${target.minValue} ${unit}`);
  if (target.maxValue !== undefined) parts.push(`at most ${target.maxValue} ${unit}`);
  if (target.minRatio !== undefined) parts.push(`ratio at least ${target.minRatio}`);
  if (target.maxRatio !== undefined) parts.push(`ratio at most ${target.maxRatio}`);
  return parts.join(' or ');
}

export function isMet(target: Target, value: number, ratio: number | null): boolean {
  if (target.minValue !== undefined && value >= target.minValue) return true;
  if (target.maxValue !== undefined && value <= target.maxValue) return true;
  if (ratio === null) return false;
  if (target.minRatio !== undefined && ratio >= target.minRatio) return true;
  return target.maxRatio !== undefined && ratio <= target.maxRatio;
}

export interface Comparison {
  readonly benchmark: string;
  readonly measure: string;
  readonly unit: string;
  readonly ours: string;
  readonly peer?: string;
  readonly target?: Target;
  readonly note?: string;
}

/** Makes a figure of the raw measurements of `ours` and `peer` (keys of `raw`). */
export function compare(of: Comparison, raw: Readonly<Record<string, readonly number[]>>): Figure {
  const ours = raw[of.ours] ?? [];
  const peer = of.peer === undefined ? [] : (raw[of.peer] ?? []);
  const value = ours.length > 0 ? median(ours) : null;
  const ratio = ours.length > 0 && peer.length > 0 ? pairedRatio(ours, peer) : null;
  return {
    benchmark: of.benchmark,
    measure: of.measure,
    unit: of.unit,
    ours: value,
    peer: of.peer ?? null,
    peerValue: peer.length > 0 ? median(peer) : null,
    ratio,
    target: of.target === undefined ? null : describeTarget(of.target, of.unit),
    met: of.target === undefined || value === null ? null : isMet(of.target, value, ratio),
    raw,
    ...(of.note === undefined ? {} : { note: of.note }),
  };
}

function short(value: number | null): string {
  if (value === null) return '-';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}

export function renderTable(figures: readonly Figure[]): string {
  const rows = [
    ['benchmark', 'measure', 'unit', 'value', 'against', 'value', 'ratio', 'target', 'met'],
    ...figures.map((f) => [
      f.benchmark,
      f.measure,
      f.unit,
      short(f.ours),
      f.peer ?? '-',
      short(f.peerValue),
      f.ratio === null ? '-' : f.ratio.toFixed(2),
      f.target ?? '-',
      f.met === null ? '-' : f.met ? 'yes' : 'NO',
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
