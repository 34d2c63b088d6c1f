/** The files that APT reads sources from, and the lists of mirrors that these name: each once, under its first name. */
import type { Stats } from 'node:fs';

import { DebtorrentError } from '../../core/errors.ts';
import type { AptPaths } from './apt-paths.ts';
import { mirrorListsIn } from './rewrite.ts';
import type { RootedFiles } from './rooted-files.ts';

interface Readable {
  /** All of them. */
  readonly sources: string[];
  /** As sources name them. */
  readonly mirrorLists: ReadonlySet<string>;
  /** What cannot be read. */
  readonly notes: string[];
}

type Owner = Pick<Stats, 'uid' | 'gid'>;

/** @param owner who runs this, besides root the only one who may decide what is written where. */
export function readableSources(files: RootedFiles, paths: AptPaths, owner: Owner): Readable {
  const parts = files.list(paths.sourceParts).filter((name) => /^[\w:-][\w.:-]*\.(?:list|sources)$/.test(name));
  const found = new Map<string, string>();
  const mirrorLists = new Set<string>();
  const named: string[] = [];
  const notes: string[] = [];
  /** False when there is nothing to read. */
  const add = (path: string, isMirrorList: boolean): boolean => {
    try {
      const real = files.resolve(path);
      if (real === undefined || real === '/dev/null') return false;
      if (found.has(real)) return true;
      const state = files.read(path);
      if (!state) return false;
      // Whoever can write sources is as good as root. Of mirrors, whose files are signed, that is not so.
      if (isMirrorList && files.onTheWay(path).some((each) => othersWrite(each, owner))) {
        notes.push(`${files.shown(path)}: others than root can write there: it is left as it is`);
        return false;
      }
      found.set(real, path);
      if (!isMirrorList) named.push(...mirrorListsIn(path, state.bytes));
      return true;
    } catch (error) {
      if (!(error instanceof DebtorrentError)) throw error;
      notes.push(`${error.message}: it is left as it is`);
      return false;
    }
  };
  for (const path of [paths.sourceList, ...parts.map((name) => `${paths.sourceParts}/${name}`)]) add(path, false);
  for (const path of new Set(named)) if (add(path, true)) mirrorLists.add(path);
  return { sources: [...found.values()], mirrorLists, notes };
}

/** Others can change it, or what is in it. */
function othersWrite({ uid, gid, mode }: Stats, owner: Owner): boolean {
  const group = (mode & 0o020) !== 0 && gid !== 0 && gid !== owner.gid;
  return (uid !== 0 && uid !== owner.uid) || group || (mode & 0o002) !== 0;
}
