/** Figures as people read them. Pure; what is not there is a dash. */

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-';
  const [divisor, unit] =
    value >= 1e9 ? [1e9, 'GB'] : value >= 1e6 ? [1e6, 'MB'] : value >= 1e3 ? [1e3, 'kB'] : [1, 'B'];
  return `${short(value / divisor)} ${unit}`;
}

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-';
  if (value >= 10_000) return seconds(value / 1000);
  return `${short(value)} ms`;
}

export function seconds(value: number | null | undefined): string {
  return value === null || value === undefined || Number.isNaN(value) ? '-' : `${short(value)} s`;
}

export function count(value: number): string {
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en-US') : short(value);
}

/** Three digits. */
function short(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
