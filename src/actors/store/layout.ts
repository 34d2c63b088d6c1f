/**
 * Where things are in the cache directory. Names are made from hashes only, never from what came from the network.
 *
 *     files/ab/<sha256>     finished files, whole and verified when they got this name
 *     partial/<sha256>      files being fetched, sparse, by the hash that they should have
 *     partial/url-<hash>    the same for files whose hash is not known in advance
 *     partial/….json        which of their ranges are there
 *     names/<hash>.json     what an URL without a signed hash last led to
 *     catalogue/            the packages parser's state
 *     history.json          sums of what was served and saved, which the gateway keeps
 *     verified.json         fingerprints of finished files whose hash was checked, and when
 *     pid                   the process that has the directory
 *     seeded/               what `debtorrent seed` put into files/ and the store has not counted yet
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { parseSha256, type MirrorUrl, type Sha256, type TransferKey } from '../../core/ids.ts';

export interface Layout {
  readonly root: string;
  readonly files: string;
  readonly partials: string;
  readonly names: string;
  readonly catalogue: string;
  readonly verified: string;
  readonly seeded: string;
  readonly history: string;
  readonly pid: string;
  file(sha256: Sha256): string;
  partial(key: TransferKey): string;
  name(url: MirrorUrl): string;
}

export function layoutOf(root: string): Layout {
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const [files, partials, names] = [join(root, 'files'), join(root, 'partial'), join(root, 'names')];
  // What is asked for with every file is put together: join looks at each character of all of the path.
  return {
    root,
    files,
    partials,
    names,
    catalogue: join(root, 'catalogue'),
    verified: join(root, 'verified.json'),
    seeded: join(root, 'seeded'),
    history: join(root, 'history.json'),
    pid: join(root, 'pid'),
    file: (sha256) => `${files}/${sha256.slice(0, 2)}/${sha256}`,
    partial: (key) => `${partials}/${parseSha256(key) ?? `url-${digest(key)}`}`,
    name: (url) => `${names}/${digest(url)}.json`,
  };
}

/** Those that have to be there; mode 0700. */
export async function makeDirectories({ root, files, partials, names, catalogue }: Layout): Promise<void> {
  for (const directory of [root, files, partials, names, catalogue]) await makeDirectory(directory);
}

/**
 * Finished files are renamed from partial/ to files/. Where that cannot be done nothing would ever be kept: somebody has put
 * one of them elsewhere, by a link or a mount, even of the same disk, or files/ is another user's since it was restored.
 * Failures that may pass, such as a full disk, are no concern of this.
 * @throws Error that says so
 */
export async function requireMoves({ partials, files }: Layout): Promise<void> {
  const paths = [join(partials, 'probe'), join(files, 'probe')] as const;
  try {
    await writeFile(paths[0], '');
    await rename(...paths);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') throw error;
    if (code !== 'EXDEV') return;
    const reason = `${files} and ${partials} are not on one file system; put all of the cache on the same`;
    throw new Error(reason, { cause: error });
  } finally {
    for (const path of paths) await rm(path, { force: true }).catch(() => undefined);
  }
}

/** With its parents. Node's own way to do that tries for ever where a file system takes no directories (/proc). */
export async function makeDirectory(path: string): Promise<void> {
  const make = () => mkdir(path, { mode: 0o700 });
  try {
    await make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) {
      await makeDirectory(dirname(path));
      await make();
    } else if (!(await stat(path).catch(() => undefined))?.isDirectory()) {
      throw error;
    }
  }
}

/** Directories below `files`: one for each first byte of a hash. */
const FAN_OUT = 256;

/**
 * A new cache gets all its directories at once: a first rush of packages needs them all, and making one then is dear.
 * What cannot be made now, on a full disk, is tried again when it is needed.
 */
export function makeFanOut(files: string): void {
  try {
    if (readdirSync(files).length >= FAN_OUT) return;
    for (let index = 0; index < FAN_OUT; index++) {
      mkdirSync(join(files, index.toString(16).padStart(2, '0')), { recursive: true, mode: 0o700 });
    }
  } catch {
    // A file of the cache that has no directory yet makes its own.
  }
}
