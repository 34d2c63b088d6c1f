/**
 * Sizes of packages as they are in Debian. The quantiles are those of the 63,440 packages of bookworm, main, amd64;
 * in between sizes are interpolated in the logarithm, which keeps the mean (1.5 MB) within a few per cent.
 */

const QUANTILES: readonly (readonly [share: number, bytes: number])[] = [
  [0, 880],
  [0.001, 896],
  [0.01, 1152],
  [0.05, 5132],
  [0.1, 7824],
  [0.2, 13_772],
  [0.3, 22_640],
  [0.4, 36_356],
  [0.5, 59_164],
  [0.6, 104_128],
  [0.7, 203_344],
  [0.8, 455_432],
  [0.9, 1_452_824],
  [0.95, 3_863_204],
  [0.98, 11_467_228],
  [0.99, 21_958_880],
  [0.995, 44_845_772],
  [0.998, 92_502_092],
  [0.999, 170_769_960],
  [0.9995, 281_755_500],
  [0.9999, 857_104_180],
  [1, 1_535_845_016],
];

/** The size, in bytes, that `share` (0 to 1) of all packages do not exceed. */
export function sizeAt(share: number): number {
  const upper = QUANTILES.findIndex(([at]) => at >= share);
  const [to, high] = QUANTILES[Math.max(upper, 0)] ?? [1, 0];
  const [from, low] = QUANTILES[Math.max(upper - 1, 0)] ?? [0, 0];
  if (to === from) return high;
  return Math.round(low * (high / low) ** ((share - from) / (to - from)));
}

/**
 * `count` sizes in ascending order, one from the middle of each of `count` equal shares of the distribution, so that
 * the total hardly depends on chance. With `bytes` they add up to about that: the largest files are cut to one size,
 * which keeps the smaller ones as they are, and only where that is not enough everything shrinks; or everything grows.
 */
export function packageSizes(count: number, bytes?: number): number[] {
  const natural = Array.from({ length: count }, (_, i) => sizeAt((i + 0.5) / count));
  const total = sum(natural);
  if (bytes === undefined || count === 0) return natural;
  const median = natural[count >> 1] ?? 1;
  const capped = natural.map((size) => Math.min(size, median));
  if (bytes >= total) return scaled(natural, bytes / total);
  if (bytes <= sum(capped)) return scaled(capped, bytes / sum(capped));
  let [low, high] = [median, natural.at(-1) ?? median];
  while (high - low > 1) {
    const cap = (low + high) / 2;
    if (sum(natural.map((size) => Math.min(size, cap))) > bytes) high = cap;
    else low = cap;
  }
  return natural.map((size) => Math.min(size, Math.round(low)));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const scaled = (sizes: readonly number[], by: number): number[] =>
  sizes.map((size) => Math.max(1, Math.round(size * by)));
