/** Which packages of an index the download benchmarks use: the same ones wherever the same index is. Pure. */
import { createHash } from 'node:crypto';

export interface ChosenPackage {
  readonly name: string;
  readonly version: string;
  /** Relative to the archive's root. */
  readonly filename: string;
  readonly size: number;
  readonly sha256: string;
}

/** Packages larger than this are left out so that one file does not decide the result. */
const LARGEST = 64 * 2 ** 20;

/**
 * `count` packages in the order of a hash of their names: a sample that keeps the distribution of sizes of the
 * archive (median about 60 KB) and hardly changes when the index does.
 */
export function choosePackages(index: string, count: number): ChosenPackage[] {
  const ranked: { rank: string; chosen: ChosenPackage }[] = [];
  for (const stanza of index.split('\n\n')) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(stanza)?.[1];
    const [name, version, filename] = [field('Package'), field('Version'), field('Filename')];
    const [size, sha256] = [Number(field('Size')), field('SHA256')];
    if (name === undefined || version === undefined || filename === undefined || sha256 === undefined) continue;
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name) || !/^pool\/[\w/.+~%-]+$/.test(filename) || filename.includes('..'))
      continue;
    if (!/^[0-9a-f]{64}$/.test(sha256) || !(size > 0 && size <= LARGEST)) continue;
    const rank = createHash('sha256').update(name).digest('hex');
    ranked.push({ rank, chosen: { name, version, filename, size, sha256 } });
  }
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0));
  const names = new Set<string>();
  const chosen: ChosenPackage[] = [];
  for (const { chosen: one } of ranked) {
    if (chosen.length === count) break;
    if (names.has(one.name)) continue;
    names.add(one.name);
    chosen.push(one);
  }
  return chosen;
}
