/** Files that a test looks at while a daemon may be writing, renaming and removing them. */
import { type Stats, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface FoundFile {
  readonly path: string;
  readonly stats: Stats;
}

/** All regular files below a directory, as they were at one look each: what is gone by then is left out. */
export function filesBelow(directory: string): readonly FoundFile[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const path = join(directory, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true ? [{ path, stats }] : [];
  });
}
