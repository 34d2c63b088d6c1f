/**
 * The cache directory is closed to other users: who can write to it could put anything under the name of a file that was
 * checked. Not every file system has permissions (vfat and exfat, some of CIFS, NFS and FUSE), and who made the directory
 * may have left it open: then that is said, once at each start.
 */
import { chmod, stat } from 'node:fs/promises';

import type { Logger } from '../../core/logging.ts';
import type { Layout } from './layout.ts';

const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
const OTHERS = 0o077;

/** Rejects with what the file system says when the directory is not this user's. */
export async function closeToOthers(layout: Layout, log: Logger): Promise<void> {
  const { root, partials } = layout;
  try {
    await chmod(partials, 0o700);
  } catch (error) {
    if (isReadOnly(error)) {
      const reason = 'what is in the cache is served, and nothing is added';
      log.warn({ path: root, code: 'STORE_IO', reason }, 'cache-dir is on a read-only file system');
      return;
    }
    if (!(await hasNoModes(partials, error as NodeJS.ErrnoException))) throw error;
  }
  for (const path of [root, layout.files, partials, layout.names, layout.catalogue, layout.seeded]) {
    const mode = await modeOf(path);
    // In a sticky one nobody takes the place of what is there.
    if ((mode & OTHERS_WRITE) === 0 || (mode & STICKY) !== 0) continue;
    log.warn({ path, mode: octal(mode) }, 'every user of this machine can alter the cache: close cache-dir to others');
    return;
  }
  const mode = await modeOf(partials);
  if ((mode & OTHERS) === 0) return;
  log.warn(
    { path: root, mode: octal(mode) },
    'the file system of cache-dir has no permissions: others can use the cache',
  );
}

/** Of the file system: a disk with faults becomes so. A cache that can only be read is still a cache. */
export function isReadOnly(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EROFS';
}

/** Whether nobody could have changed them, and not only this user. */
async function hasNoModes(path: string, { code }: NodeJS.ErrnoException): Promise<boolean> {
  if (code === 'ENOSYS' || code === 'ENOTSUP') return true;
  return code === 'EPERM' && (await stat(path)).uid === process.geteuid?.();
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mode ?? 0;
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
