/**
 * Names of files that a Release lists, relative to its directory: which of them are forms of a Packages or Sources
 * index, and of which component and architecture.
 */
export type Compression = 'none' | 'gz' | 'xz' | 'bz2' | 'zst' | 'lzma';
export const COMPRESSIONS: readonly Compression[] = ['none', 'gz', 'xz', 'bz2', 'zst', 'lzma'];

export interface IndexName {
  /** The uncompressed name, `main/binary-amd64/Packages`: what an index is known by. */
  readonly base: string;
  readonly kind: 'packages' | 'sources';
  /** `main`, `main/debian-installer`; empty in flat archives. */
  readonly component: string;
  /** `amd64`, `all`, `source`; empty where the name does not say (flat archives). */
  readonly architecture: string;
  /** `diff` for anything under `Packages.diff/`. */
  readonly form: Compression | 'diff';
}

const FILE = /^(Packages|Sources)(?:\.(gz|xz|bz2|zst|lzma))?$/;
const DIFF = /^(Packages|Sources)\.diff$/;

/** Undefined for what is no form of an index, such as Contents, Translation or dep11 files. */
export function parseIndexName(path: string): IndexName | undefined {
  const segments = path.split('/');
  const diffAt = segments.findIndex((s) => DIFF.test(s));
  const at = diffAt >= 0 ? diffAt : segments.length - 1;
  if (diffAt >= 0 && diffAt === segments.length - 1) return undefined;
  const match = (diffAt >= 0 ? DIFF : FILE).exec(segments[at] as string);
  if (!match) return undefined;
  const kind = match[1] === 'Packages' ? 'packages' : 'sources';
  const directory = segments.slice(0, at);
  const form = diffAt >= 0 ? 'diff' : ((match[2] ?? 'none') as Compression);
  const leaf = directory.at(-1) ?? '';
  const named = kind === 'packages' ? /^binary-(.+)$/.exec(leaf)?.[1] : leaf === 'source' ? 'source' : undefined;
  return {
    base: [...directory, match[1]].join('/'),
    kind,
    component: named === undefined ? '' : directory.slice(0, -1).join('/'),
    architecture: named ?? (kind === 'sources' ? 'source' : ''),
    form,
  };
}

/** The listed name of one form of an index. */
export function formName(base: string, compression: Compression): string {
  return compression === 'none' ? base : `${base}.${compression}`;
}
