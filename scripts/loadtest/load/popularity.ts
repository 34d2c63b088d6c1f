/** How often packages are wanted: by Zipf's law, or as a popularity contest has counted. Pure. */

/** Weights of ranks 1 to `count`: the package at rank r is wanted r^-exponent as often as the first; 0 is uniform. */
export function zipfWeights(count: number, exponent: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (i + 1) ** -exponent);
}

/**
 * Reads lines of popularity-contest's by_inst form: `rank name installations …`; others are left out.
 * @returns installations by name
 */
export function parsePopcon(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, count] = /^\d+\s+(\S+)\s+(\d+)\b/.exec(line) ?? [];
    if (name !== undefined) found.set(name, Number(count));
  }
  return found;
}

/** Weights from a popularity contest: by name where it knows any of the names, else by rank; at least 0.5 each. */
export function popconWeights(names: readonly string[], popcon: ReadonlyMap<string, number>): Float64Array {
  if (names.some((name) => popcon.has(name))) return Float64Array.from(names, (name) => popcon.get(name) ?? 0.5);
  const counts = [...popcon.values()].sort((a, b) => b - a);
  return Float64Array.from(names, (_, rank) => Math.max(counts[rank] ?? 0, 0.5));
}

/** A draw that hits what was drawn before is repeated; after this many in vain the rest is picked otherwise. */
const REPEATS = 50;

export class Sampler {
  readonly #weights: Float64Array;
  readonly #upTo: Float64Array;

  constructor(weights: Float64Array) {
    this.#weights = weights;
    let total = 0;
    this.#upTo = weights.map((weight) => (total += weight));
  }

  /** One index, with the probability of its weight. */
  one(random: () => number): number {
    const upTo = this.#upTo;
    const at = random() * (upTo.at(-1) ?? 0);
    let [low, high] = [0, upTo.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** `count` different indexes, or all, in the order drawn: each draw by weight among those that are left. */
  distinct(random: () => number, count: number): number[] {
    const wanted = Math.min(count, this.#weights.length);
    const drawn = new Set<number>();
    for (let draws = wanted * REPEATS; drawn.size < wanted && draws > 0; draws--) drawn.add(this.one(random));
    if (drawn.size === wanted) return [...drawn];
    // what successive draws would give, too, without repeats: the smallest of exponential variates (Efraimidis, Spirakis)
    const rest = [...this.#weights.keys()].filter((index) => !drawn.has(index));
    const keyed = rest.map((index) => ({ index, key: -Math.log(1 - random()) / (this.#weights[index] ?? 1) }));
    keyed.sort((a, b) => a.key - b.key);
    return [...drawn, ...keyed.slice(0, wanted - drawn.size).map(({ index }) => index)];
  }
}
