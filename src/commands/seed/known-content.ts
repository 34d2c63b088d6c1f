/**
 * What the daemon's catalogue says of contents, for files that have lost their place: by SHA-256, and by name and size
 * so that what cannot be in it is never read. Pure.
 */
import type { Segment } from '../../core/archive/segment.ts';
import type { Sha256 } from '../../core/ids.ts';

/** What is known of a file before it is read. */
export type Guess =
  /** Only one content has this name and size. */
  | { readonly kind: 'one'; readonly sha256: Sha256 }
  /** The hash will say. */
  | { readonly kind: 'maybe'; readonly nameKnown: boolean }
  | { readonly kind: 'other size' }
  | { readonly kind: 'unknown' };

export class KnownContent {
  readonly #segments: readonly Segment[];
  readonly #sizes = new Set<number>();
  /** Of wanted names only: a catalogue has hundreds of thousands. */
  readonly #byName = new Map<string, Map<Sha256, number>>();

  constructor(segments: readonly Segment[], wantedNames: Iterable<string>) {
    this.#segments = segments;
    for (const name of wantedNames) this.#byName.set(poolName(name), new Map());
    for (const segment of segments) {
      for (const { path, sha256, size } of segment.entries()) {
        this.#sizes.add(size);
        this.#byName.get(path.slice(path.lastIndexOf('/') + 1))?.set(sha256, size);
      }
    }
  }

  guess(name: string, size: number): Guess {
    const named = this.#byName.get(poolName(name)) ?? new Map<Sha256, number>();
    const fitting = [...named].filter(([, other]) => other === size);
    const [only] = fitting;
    if (only && fitting.length === 1) return { kind: 'one', sha256: only[0] };
    if (this.#sizes.has(size)) return { kind: 'maybe', nameKnown: named.size > 0 };
    return { kind: named.size > 0 ? 'other size' : 'unknown' };
  }

  has(sha256: Sha256, size: number): boolean {
    return this.#segments.some((segment) => segment.lookupSha(sha256)?.size === size);
  }
}

/**
 * A file's name in a pool, from its name in APT's archive cache: there colons are `%3a`, and the version has its
 * epoch (apt's pkgArchive: `name_epoch%3aversion_arch.deb`), which names in pools have not.
 */
export function poolName(name: string): string {
  const plain = name.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return plain.replace(/^([^_]+_)\d+:/, '$1');
}
