/** Waiting times: doubling after failures, and never the same on two machines. */

/** `ms` give or take a tenth. */
export function jittered(ms: number, random: () => number): number {
  return Math.round(ms * (0.9 + 0.2 * random()));
}

/** Machines whose network comes back at the same moment do not ask at the same moment: within so many milliseconds. */
export const RENEW_MS = 5_000;

/** Milliseconds to wait after the n-th failure in a row (from 1): `first`, doubling up to `most`, with jitter. */
export function backOff(failures: number, first: number, most: number, random: () => number): number {
  return jittered(Math.min(most, first * 2 ** Math.min(failures - 1, 20)), random);
}
