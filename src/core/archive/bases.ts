/**
 * Which directories the paths in an archive's indexes may be relative to. In a dists tree that is its root. A flat
 * archive's is the directory in sources.list, which no file of the archive tells: its Release's or one above it.
 */
import { archiveKey, type ArchiveState } from './archive-state.ts';
import { pathKey, splitMirrorUrl } from './mirror-path.ts';

export interface Base {
  /** Of the directory. */
  readonly key: string;
  /** How many levels above the Release's directory; 0 for the root of a dists tree. */
  readonly guess: number;
  /**
   * What paths begin with that are believed. One that leads from a directory above into the Release's own shows itself
   * that this is how it is meant. Any other may as well be of another archive, which lies around this one: `foo.deb` of
   * testing/ is no word about the `foo.deb` beside testing/.
   */
  readonly within: string;
}

export function basesOf({ layout, root, releaseDir }: ArchiveState): Base[] {
  if (layout === 'dists') return [{ key: archiveKey(root), guess: 0, within: '' }];
  const path = splitMirrorUrl(releaseDir);
  const bases: Base[] = [];
  for (let guess = 0; path && guess <= path.segments.length; guess++) {
    const count = path.segments.length - guess;
    const within = path.segments.slice(count).map((segment) => `${segment}/`);
    bases.push({ key: pathKey(path, count), guess, within: within.join('') });
  }
  return bases;
}
