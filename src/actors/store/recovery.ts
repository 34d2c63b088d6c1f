/**
 * What the store reads at its start: which finished files there are, in order of their last use, and which of them
 * still have the bytes whose hash was checked. A file is recognised by inode, size, modification and change time; the
 * change time cannot be set by programs, so any later write shows.
 */
import type { BigIntStats } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { parseSha256, type Sha256 } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import { replaceFile } from '../replace-file.ts';
import type { Layout } from './layout.ts';
import type { FileEntry, LeastRecentlyUsed } from './lru.ts';

export function fingerprintOf(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/** Fills `files` from the directory, behind what is already in it; files with foreign names are left alone. */
export async function recover(layout: Layout, files: LeastRecentlyUsed, log: Logger): Promise<void> {
  const verified = await readVerified(layout, log);
  const found: [Sha256, FileEntry][] = [];
  for (const directory of await readdir(layout.files)) {
    const path = join(layout.files, directory);
    for (const name of await readdir(path).catch(() => [])) {
      const sha256 = parseSha256(name);
      if (sha256 === undefined || layout.file(sha256) !== join(path, name)) continue;
      const stats = await stat(join(path, name), { bigint: true }).catch(() => undefined);
      if (stats === undefined || !stats.isFile()) continue;
      const fingerprint = fingerprintOf(stats);
      const known = verified.get(sha256);
      found.push([
        sha256,
        {
          size: Number(stats.size),
          usedAt: Number(stats.atimeMs),
          ...(known?.fingerprint === fingerprint ? known : UNCHECKED),
        },
      ]);
    }
  }
  found.sort((a, b) => a[1].usedAt - b[1].usedAt);
  const usedMeanwhile = [...files];
  const recovered = new Map(found);
  for (const [sha256, entry] of found) files.put(sha256, entry);
  for (const [sha256, entry] of usedMeanwhile) {
    // Used between start and now: `find` saw no fingerprint yet, so take the recovered one where it still holds.
    const { fingerprint, checkedAt } = entry.fingerprint === undefined ? (recovered.get(sha256) ?? entry) : entry;
    files.put(sha256, { ...entry, fingerprint, checkedAt });
  }
  log.debug({ files: files.files, bytes: files.bytes }, 'cache directory read');
}

type Checked = Pick<FileEntry, 'fingerprint' | 'checkedAt'>;

const UNCHECKED: Checked = { fingerprint: undefined, checkedAt: 0 };

/** Fingerprints, each with the time of its check behind a blank; what an earlier version wrote has none. */
async function readVerified({ verified: path }: Layout, log: Logger): Promise<Map<string, Checked>> {
  try {
    const data: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new Error('it is no object');
    const pairs = Object.entries(data).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
    return new Map(pairs.map(([sha256, text]) => [sha256, parseChecked(text)]));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Nothing has been checked yet, or somebody has removed it.
    if (code === 'ENOENT') return new Map();
    const what = 'which cached files were checked cannot be read: each is hashed again when it is used';
    log.warn({ path, reason: message }, what);
    return new Map();
  }
}

function parseChecked(text: string): Checked {
  const [fingerprint, at] = text.split(' ');
  return { fingerprint, checkedAt: Number(at ?? 0) };
}

export async function saveVerified(layout: Layout, files: LeastRecentlyUsed): Promise<void> {
  const data: Record<string, string> = {};
  for (const [sha256, { fingerprint, checkedAt }] of files) {
    if (fingerprint !== undefined) data[sha256] = `${fingerprint} ${checkedAt}`;
  }
  await replaceFile(layout.verified, JSON.stringify(data));
}
