/** A methods folder for APT: its own methods, and ours of this checkout in the place of one that is installed. */
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const APT_METHODS = '/usr/lib/apt/methods';
/** Seen from dist/scripts/support. */
export const LAUNCHER = fileURLToPath(new URL('../../../bin/apt-method', import.meta.url));

/** Makes the folder, with links; one that is there already is left as it is. */
export function linkMethods(folder: string): string {
  if (mkdirSync(folder, { recursive: true }) === undefined) return folder;
  const targets = new Map(readdirSync(APT_METHODS).map((name) => [name, join(APT_METHODS, name)]));
  targets.set('debtorrent', LAUNCHER);
  for (const [name, target] of targets) symlinkSync(target, join(folder, name));
  return folder;
}
