/**
 * ext4 does not give out an inode again within minutes of its release, and to make a file it passes over all of those
 * of a directory's group one by one: with some thousands of files just removed that takes 0.3 to 0.6 ms a file, several
 * times what making one takes else. So measurements that make files wait until that time has passed.
 */
import { readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** RECENCY_MIN and RECENCY_DIRTY of ext4, together 360 s. */
const REST_MS = 365_000;
const STAMP = 'removed';
/** Smaller files take up no room that matters. */
const SMALL_BYTES = 64 * 1024;

/** Notes in the directory that files below it have just been removed. */
export async function noteRemoval(directory: string): Promise<void> {
  await writeFile(join(directory, STAMP), '');
}

/** Waits until what was removed below the directory does not matter any more; BENCH_NOW does not wait. */
export async function rested(directory: string, say: (line: string) => void): Promise<void> {
  if (process.env['BENCH_NOW'] !== undefined) return;
  const removed = await stat(join(directory, STAMP)).catch(() => undefined);
  const left = removed === undefined ? 0 : removed.mtimeMs + REST_MS - Date.now();
  if (left <= 0) return;
  say(`waiting ${Math.ceil(left / 1000)} s: the last run has just removed its files (BENCH_NOW=1 does not wait)`);
  await sleep(left);
}

/** Frees the room of what is below a directory, and leaves the files there, empty. */
export async function emptyFiles(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if ((await stat(path)).size > SMALL_BYTES) await truncate(path);
  }
}
