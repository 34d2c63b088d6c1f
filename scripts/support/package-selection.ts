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
  const ranked = [...readPackages(index)]
    .filter(({ size }) => size <= LARGEST)
    .map((chosen) => ({ rank: createHash('sha256').update(chosen.name).digest('hex'), chosen }));
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

/** Packages by name, in the order of the names; names that the index does not have are left out. */
export function namedPackages(index: string, names: readonly string[]): ChosenPackage[] {
  const wanted = new Set(names);
  const found = new Map<string, ChosenPackage>();
  for (const one of readPackages(index)) if (wanted.has(one.name) && !found.has(one.name)) found.set(one.name, one);
  return [...wanted].flatMap((name) => found.get(name) ?? []);
}

/** All packages whose name and path are what they should be. */
function* readPackages(index: string): Generator<ChosenPackage> {
  for (const stanza of index.split('\n\n')) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(stanza)?.[1];
    const [name, version, filename] = [field('Package'), field('Version'), field('Filename')];
    const [size, sha256] = [Number(field('Size')), field('SHA256')];
    if (name === undefined || version === undefined || filename === undefined || sha256 === undefined) continue;
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name) || !/^pool\/[\w/.+~%-]+$/.test(filename) || filename.includes('..'))
      continue;
    if (!/^[0-9a-f]{64}$/.test(sha256) || !(size > 0)) continue;
    yield { name, version, filename, size, sha256 };
  }
}
