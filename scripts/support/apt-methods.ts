/** A methods folder for APT: its own methods, and ours of this checkout in the place of one that is installed. */
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const APT_METHODS = '/usr/lib/apt/methods';
/** Seen from dist/scripts/support. */
export const LAUNCHER = fileURLToPath(new URL('../../../bin/apt-method', import.meta.url));

/** Where each method of the folder is, by name. */
export async function methodTargets(): Promise<Map<string, string>> {
  const targets = new Map((await readdir(APT_METHODS)).map((name) => [name, join(APT_METHODS, name)]));
  return targets.set('debtorrent', LAUNCHER);
}

/** Makes the folder, with links; one that is there already is left as it is. */
export async function linkMethods(folder: string): Promise<string> {
  const made = await mkdir(folder, { recursive: true });
  if (made === undefined) return folder;
  for (const [name, target] of await methodTargets()) await symlink(target, join(folder, name));
  return folder;
}
