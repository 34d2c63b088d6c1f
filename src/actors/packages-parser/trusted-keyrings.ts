/** Where a Debian system keeps the keys of archives: what APT trusts, and the keyrings of public archives. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSources, keysInSources, MAX_SOURCES_BYTES } from './inline-keys.ts';

/** The first two are what APT reads by itself, the others are where Signed-By points by custom. */
const DIRECTORIES = ['etc/apt/trusted.gpg.d', 'etc/apt/keyrings', 'usr/share/keyrings'];
const SUFFIX = /\.(?:gpg|asc|pgp)$/;
/** Keys that the distribution has withdrawn are kept beside those that it trusts. */
const REMOVED = /-removed(?:-keys|-certs)?\.(?:gpg|asc|pgp)$/;

/** Keyrings of archives that anybody may read, and whose files may be shared with anybody. */
const PUBLIC = ['debian-archive-keyring', 'ubuntu-archive-keyring'];

const SIGNED_BY = /(?:^|\n)\s*Signed-By:[ \t]*(\/[^\n]*)|\[[^\]\n]*\bsigned-by=([^\]\s]+)/gi;

/** Those that are there now, under a root directory (`/` on a real system). */
export async function aptTrustedKeyrings(root: string): Promise<string[]> {
  const found = new Set([join(root, 'etc/apt/trusted.gpg')]);
  for (const directory of DIRECTORIES) {
    for (const name of await list(join(root, directory))) {
      if (SUFFIX.test(name) && !REMOVED.test(name)) found.add(join(root, directory, name));
    }
  }
  for (const path of await signedBy(root)) found.add(path);
  return [...found];
}

/** Those of PUBLIC that are there, or would be. */
export function publicKeyrings(root: string): string[] {
  return PUBLIC.flatMap((name) => ['gpg', 'pgp'].map((s) => join(root, 'usr/share/keyrings', `${name}.${s}`)));
}

/** Files that Signed-By of any source names, and sources that have keys in themselves. */
async function signedBy(root: string): Promise<string[]> {
  const parts = join(root, 'etc/apt/sources.list.d');
  const sources = (await list(parts)).filter((name) => /\.(?:list|sources)$/.test(name)).map((n) => join(parts, n));
  const found: string[] = [];
  for (const path of [join(root, 'etc/apt/sources.list'), ...sources]) {
    const text = await readSources(path);
    for (const [, deb822, oneLine] of text.matchAll(SIGNED_BY)) {
      const files = (deb822 ?? oneLine ?? '').split(/[\s,]+/).filter((p) => p.startsWith('/'));
      found.push(...files.map((file) => join(root, file)));
    }
    if (isSources(path) && keysInSources(text).length > 0) found.push(path);
  }
  return found;
}

/** Empty when it is not there or absurdly large. */
async function readSources(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    return size <= MAX_SOURCES_BYTES ? await readFile(path, 'utf8') : '';
  } catch {
    return '';
  }
}

async function list(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).sort();
}
