/** Installs and builds what is missing, so that each command works on a fresh clone and costs little on any other. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, isBuilt } from './build.mjs';
import { install, isInstalled } from './install.mjs';
import { withLock } from './lock.mjs';

/** The root of this checkout. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Ends this process with one line and exit code 1 if it cannot be done. */
export async function ensureBuilt() {
  if (isInstalled(root) && isBuilt(root)) return;
  try {
    await withLock(join(root, 'dist/.lock'), async (holdFor) => {
      // another process may have done it while this one waited
      if (!isInstalled(root)) await install(root, holdFor);
      if (!isBuilt(root)) await build(root, holdFor);
    });
  } catch (error) {
    process.stderr.write(`debtorrent: ${error.message}\n`);
    process.exit(1);
  }
}
