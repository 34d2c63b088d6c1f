/** Which forms of an index a Release lists, which one to fetch, and where from. */
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { Sha256 } from '../../core/ids.ts';
import { COMPRESSIONS, formName, parseIndexName, type Compression } from '../../core/archive/index-name.ts';
import type { ArchiveState, IndexState } from '../../core/archive/archive-state.ts';
import { joinMirrorUrl } from '../../core/archive/mirror-path.ts';
import type { Segment } from '../../core/archive/segment.ts';
import type { IndexUse } from './remembered-uses.ts';

export interface IndexForm {
  readonly compression: Compression;
  /** As listed, relative to the Release's directory. */
  readonly path: string;
  readonly sha256: Sha256;
  readonly size: number;
}

const BY_HASH = /^(?:(.*)\/)?by-hash\/[^/]+\/[^/]+$/;

export function listedForms(release: Segment, name: string): IndexForm[] {
  return COMPRESSIONS.flatMap((compression) => {
    const path = formName(name, compression);
    const hit = release.lookup(path);
    return hit ? [{ compression, path, ...hit }] : [];
  });
}

/** The form that clients use first, then the smallest; the uncompressed one is often listed without being there. */
export function formsToTry(release: Segment, { name, form }: IndexUse): IndexForm[] {
  const rank = (f: IndexForm): number => (f.compression === form ? 0 : f.compression === 'none' ? 2 : 1);
  return listedForms(release, name).sort((a, b) => rank(a) - rank(b) || a.size - b.size);
}

/** What stays the same as long as the index has the same content. */
export function contentOf(release: Segment, name: string): { id: Sha256; plainSize?: number } | undefined {
  const forms = listedForms(release, name);
  const plain = forms.find((f) => f.compression === 'none');
  if (plain) return { id: plain.sha256, plainSize: plain.size };
  const [smallest] = forms.sort((a, b) => a.size - b.size);
  return smallest && { id: smallest.sha256 };
}

/** The index that a path within an archive is a form of, or tells of (its diffs, an earlier content by hash). */
export function usedIndex(release: Segment, path: string): IndexUse | undefined {
  const byHash = BY_HASH.exec(path);
  if (byHash) return usedByHash(release, path, byHash[1] ?? '');
  const name = parseIndexName(path);
  if (!name || listedForms(release, name.base).length === 0) return undefined;
  return name.form === 'diff' ? { name: name.base } : { name: name.base, form: name.form };
}

function usedByHash(release: Segment, path: string, directory: string): IndexUse | undefined {
  const inDirectory = (name: string): string => (directory === '' ? name : `${directory}/${name}`);
  const diff = parseIndexName(inDirectory('Index'));
  if (diff?.form === 'diff') return listedForms(release, diff.base).length > 0 ? { name: diff.base } : undefined;
  const here = ['Packages', 'Sources'].map(inDirectory);
  const hit = release.lookup(path);
  for (const name of here) {
    const form = hit && listedForms(release, name).find((f) => f.sha256 === hit.sha256);
    if (form) return { name, form: form.compression };
  }
  // a hash that this Release does not have is mostly one that the Release before it had
  const name = hit ? undefined : here.find((n) => listedForms(release, n).length > 0);
  return name === undefined ? undefined : { name };
}

export function planFor(archive: ArchiveState, index: IndexState, form: IndexForm): FetchPlan {
  const plain = joinMirrorUrl(archive.releaseDir, form.path);
  const directory = form.path.slice(0, form.path.lastIndexOf('/') + 1);
  const byHash = joinMirrorUrl(archive.releaseDir, `${directory}by-hash/SHA256/${form.sha256}`);
  return {
    url: archive.acquireByHash ? byHash : plain,
    alternates: archive.acquireByHash ? [plain] : [],
    trust: 'signed',
    sha256: form.sha256,
    size: form.size,
    torrents: archive.public ? [index.torrent] : [],
    revalidate: 'immutable',
    reload: true,
  };
}
