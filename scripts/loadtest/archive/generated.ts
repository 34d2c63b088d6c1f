/**
 * A generated, signed archive with the sizes of Debian's. Names, sizes and contents follow from the seed; the key and
 * the signature are new each time. Contents do not compress, so a proxy cannot gain by it.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomNumbers } from '../../../test/support/random.ts';
import { type Scope, temporaryDirectory } from '../../support/scope.ts';
import { writeDists } from '../../support/signed-archive.ts';
import type { LoadArchive, PackageFacts } from './load-archive.ts';
import { packageSizes } from './sizes.ts';

export interface GeneratedOptions {
  readonly seed: string;
  readonly packages: number;
  /** About how many they are together; as many as in Debian unless given. */
  readonly bytes?: number | undefined;
  /** Where its directory is made. */
  readonly directory: string;
}

interface Planned {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  readonly size: number;
}

const BASE = 'debian';
const SUITE = 'load';
const ARCHITECTURE = 'amd64';
const BLOCK = 1 << 20;

/** What will be in it, in order of popularity; sizes are in no order. Pure. */
export function planPackages(seed: string, count: number, bytes?: number): Planned[] {
  const random = randomNumbers(`${seed} sizes`);
  const sizes = packageSizes(count, bytes);
  for (let i = sizes.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [sizes[i], sizes[other]] = [sizes[other] ?? 0, sizes[i] ?? 0];
  }
  return sizes.map((size, i) => {
    // as in Debian, some have characters that are spelt differently in different places
    const name = `load${String(i + 1).padStart(6, '0')}${i % 12 === 5 ? '++' : ''}`;
    const version = i % 10 === 3 ? '1.0~rc1-1' : '1.0-1';
    return { name, version, path: `pool/main/l/${name}/${name}_${version}_${ARCHITECTURE}.deb`, size };
  });
}

export async function generateArchive(scope: Scope, options: GeneratedOptions): Promise<LoadArchive> {
  const root = await temporaryDirectory(scope, options.directory, 'archive');
  const archive = join(root, BASE);
  const packages: PackageFacts[] = [];
  let index = '';
  for (const planned of planPackages(options.seed, options.packages, options.bytes)) {
    scope.assertOpen();
    const sha256 = await writeContent(join(archive, planned.path), `${options.seed} ${planned.name}`, planned.size);
    packages.push({ ...planned, sha256 });
    index +=
      `Package: ${planned.name}\nVersion: ${planned.version}\nArchitecture: ${ARCHITECTURE}\n` +
      `Maintainer: Nobody <nobody@debian.org>\nFilename: ${planned.path}\nSize: ${planned.size}\n` +
      `SHA256: ${sha256}\nDescription: made up\n\n`;
  }
  const dists = join('dists', SUITE);
  const directory = join(archive, dists);
  const written = { directory, suite: SUITE, architecture: ARCHITECTURE, index: Buffer.from(index), compress: true };
  const { keyring, release, served, indexPath, byHashPath } = await writeDists(scope, written);
  const facts = (path: string, content: Buffer) => ({
    path: `${dists}/${path}`,
    size: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  });
  return {
    root,
    base: BASE,
    suite: SUITE,
    architecture: ARCHITECTURE,
    keyring,
    release: facts('InRelease', release),
    index: facts(byHashPath, served),
    indexPath: `${dists}/${indexPath}`,
    packages,
  };
}

/** Writes `size` bytes that `seed` determines; returns their SHA-256. */
async function writeContent(path: string, seed: string, size: number): Promise<string> {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(Math.min(size, BLOCK));
  const hash = createHash('sha256');
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  try {
    for (let left = size; left > 0; left -= BLOCK) {
      const block = cipher.update(zeros.subarray(0, Math.min(left, BLOCK)));
      hash.update(block);
      await file.write(block);
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
