/**
 * What the store reads at its start: which finished files there are, in order of their last use, and which of them
 * still have the bytes whose hash was checked. A file is recognised by inode, size, modification and change time; the
 * change time cannot be set by programs, so any later write shows.
 */
import type { BigIntStats } from 'node:fs';
import { readFile, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parseSha256, type Sha256 } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { Layout } from './layout.ts';
import type { FileEntry, LeastRecentlyUsed } from './lru.ts';

export function fingerprintOf(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/** Fills `files` from the directory, behind what is already in it; files with foreign names are left alone. */
export async function recover(layout: Layout, files: LeastRecentlyUsed, log: Logger): Promise<void> {
  const verified = await readVerified(layout);
  const found: [Sha256, FileEntry][] = [];
  for (const directory of await readdir(layout.files)) {
    const path = join(layout.files, directory);
    for (const name of await readdir(path).catch(() => [])) {
      const sha256 = parseSha256(name);
      if (sha256 === undefined || layout.file(sha256) !== join(path, name)) continue;
      const stats = await stat(join(path, name), { bigint: true }).catch(() => undefined);
      if (stats === undefined || !stats.isFile()) continue;
      const fingerprint = fingerprintOf(stats);
      found.push([
        sha256,
        {
          size: Number(stats.size),
          usedAt: Number(stats.atimeMs),
          fingerprint: verified.get(sha256) === fingerprint ? fingerprint : undefined,
        },
      ]);
    }
  }
  found.sort((a, b) => a[1].usedAt - b[1].usedAt);
  const usedMeanwhile = [...files];
  const fingerprints = new Map(found.map(([sha256, entry]) => [sha256, entry.fingerprint]));
  for (const [sha256, entry] of found) files.put(sha256, entry);
  for (const [sha256, entry] of usedMeanwhile) {
    // Used between start and now: `find` saw no fingerprint yet, so take the recovered one where it still holds.
    const fingerprint = entry.fingerprint ?? fingerprints.get(sha256);
    files.put(sha256, { ...entry, fingerprint });
  }
  log.debug({ files: files.files, bytes: files.bytes }, 'cache directory read');
}

async function readVerified(layout: Layout): Promise<Map<string, string>> {
  try {
    const data: unknown = JSON.parse(await readFile(layout.verified, 'utf8'));
    if (typeof data !== 'object' || data === null) return new Map();
    return new Map(Object.entries(data).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
  } catch {
    return new Map();
  }
}

export async function saveVerified(layout: Layout, files: LeastRecentlyUsed): Promise<void> {
  const data: Record<string, string> = {};
  for (const [sha256, { fingerprint }] of files) if (fingerprint !== undefined) data[sha256] = fingerprint;
  const temporary = `${layout.verified}.tmp`;
  await writeFile(temporary, JSON.stringify(data), { mode: 0o600 });
  await rename(temporary, layout.verified);
}
