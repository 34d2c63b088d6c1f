/**
 * One daemon for each cache directory: a second one would take the first one's partial files for what is left of a
 * crash. The lock is the kernel's, on the directory itself: it ends with the process however that ends, and holds when
 * the cache is emptied by hand. `debtorrent seed` does not take it.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';

import { layoutOf, makeDirectory } from './actors/store/layout.ts';
import { DebtorrentError } from './core/errors.ts';
import type { Logger } from './core/logging.ts';

const PROGRAM = 'flock';
/** What it says when somebody else has the lock; failures of its own are above. */
const TAKEN = 1;
const TIMEOUT_MS = 5_000;

/**
 * Makes the directory if there is none. Returns how to give the lock back.
 * @throws DebtorrentError CACHE_TAKEN, or STORE_IO for a directory that cannot be made or read
 */
export async function lockCache(root: string, log: Logger): Promise<() => void> {
  const { pid: pidFile } = layoutOf(root);
  let directory: number;
  try {
    await makeDirectory(root);
    directory = openSync(root, 'r');
  } catch (error) {
    throw new DebtorrentError('STORE_IO', `cache-dir ${root}: ${(error as Error).message}`);
  }
  // Node has no flock(2). The lock belongs to the open directory, which the program is lent, and stays when it ends.
  const { status, error, stderr } = spawnSync(PROGRAM, ['-n', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', directory],
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  if (status === TAKEN && stderr === '') {
    closeSync(directory);
    throw new DebtorrentError('CACHE_TAKEN', `cache-dir ${root} is in use by another daemon${holder(pidFile)}`);
  }
  if (status !== 0) {
    const reason = error?.message ?? stderr.trim();
    log.warn(
      { path: root, reason },
      `${PROGRAM} does not work: nothing keeps a second daemon from the cache directory`,
    );
  }
  try {
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // on a full disk: it is only what a second daemon says
  }
  return () => closeSync(directory);
}

function holder(pidFile: string): string {
  try {
    return `, process ${Number.parseInt(readFileSync(pidFile, 'utf8'), 10)}`;
  } catch {
    return '';
  }
}
