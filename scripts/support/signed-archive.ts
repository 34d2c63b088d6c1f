/**
 * An archive of made-up files under the names of packages, signed by a key of its own, so that a proxy that checks
 * signatures takes them for what they are and one that goes by names does too.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Scope, run, temporaryDirectory } from './scope.ts';

export interface MadeUpFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

export interface SignedArchive {
  readonly keyring: string;
  readonly suite: string;
  readonly architecture: string;
  /** Paths relative to the archive's root, in the order of the files asked for. */
  readonly paths: readonly string[];
  /** SHA-256 of the same files. */
  readonly hashes: readonly string[];
}

/** Writes the archive to `root`. The key lives as long as the scope. */
export async function createSignedArchive(
  scope: Scope,
  root: string,
  files: readonly MadeUpFile[],
): Promise<SignedArchive> {
  const suite = 'bench';
  const architecture = 'amd64';
  const paths: string[] = [];
  const hashes: string[] = [];
  let index = '';
  for (const { name, size } of files) {
    const path = `pool/main/b/bench/${name}_1.0_${architecture}.deb`;
    const content = randomBytes(size);
    const hash = sha256(content);
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    index +=
      `Package: ${name}\nVersion: 1.0\nArchitecture: ${architecture}\nMaintainer: Nobody <nobody@debian.org>\n` +
      `Filename: ${path}\nSize: ${size}\nSHA256: ${hash}\nDescription: made up\n\n`;
    paths.push(path);
    hashes.push(hash);
  }
  const directory = join(root, 'dists', suite);
  const { keyring } = await writeDists(scope, { directory, suite, architecture, index: Buffer.from(index) });
  return { keyring, suite, architecture, paths, hashes };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export interface Dists {
  /** `dists/SUITE`, made here. */
  readonly directory: string;
  readonly suite: string;
  readonly architecture: string;
  /** Packages of main. */
  readonly index: Buffer;
  /** Serve it as Packages.xz alone, as Debian does; else as Packages. */
  readonly compress?: boolean;
}

export interface SignedDists {
  /** Path of the public key, which lives as long as the scope. */
  readonly keyring: string;
  readonly release: Buffer;
  /** The index as it is served. */
  readonly served: Buffer;
  /** Paths of it below the directory. */
  readonly indexPath: string;
  readonly byHashPath: string;
}

/** Writes index, by-hash and InRelease, signed by a key made for it. */
export async function writeDists(scope: Scope, dists: Dists): Promise<SignedDists> {
  const { directory, suite, architecture, index, compress = false } = dists;
  const part = `main/binary-${architecture}`;
  const plain = join(directory, part, 'Packages');
  await mkdir(join(directory, part, 'by-hash/SHA256'), { recursive: true });
  await writeFile(plain, index);
  const names = [`${part}/Packages`];
  if (compress) {
    await run(scope, 'xz', ['-1', plain]);
    names.push(`${part}/Packages.xz`);
  }
  const indexPath = names.at(-1) ?? '';
  const served = await readFile(join(directory, indexPath));
  const byHashPath = `${part}/by-hash/SHA256/${sha256(served)}`;
  await link(join(directory, indexPath), join(directory, byHashPath));
  const line = (content: Buffer, name: string): string => ` ${sha256(content)} ${content.length} ${name}\n`;
  const listed = names.map((name) => line(name === indexPath ? served : index, name));
  const release =
    `Origin: Bench\nLabel: Bench\nSuite: ${suite}\nCodename: ${suite}\nDate: ${new Date().toUTCString()}\n` +
    `Acquire-By-Hash: yes\nArchitectures: ${architecture}\nComponents: main\n` +
    `SHA256:\n${listed.join('')}`;
  await writeFile(join(directory, 'Release'), release.replace('GMT', 'UTC'));
  const home = await temporaryDirectory(scope, tmpdir(), 'bench-gpg');
  // not as a process of the scope, which starts nothing new by then
  scope.defer(() => promisify(execFile)('gpgconf', ['--homedir', home, '--kill', 'all']));
  const gpg = ['--homedir', home, '--batch', '--quiet', '--yes', '--passphrase', ''];
  await run(scope, 'gpg', [...gpg, '--quick-generate-key', 'Bench <bench@debian.org>', 'ed25519', 'sign', 'never']);
  await run(scope, 'gpg', [
    ...gpg,
    '--clearsign',
    '--output',
    join(directory, 'InRelease'),
    join(directory, 'Release'),
  ]);
  const keyring = join(home, 'bench.gpg');
  await run(scope, 'gpg', [...gpg, '--export', '--output', keyring]);
  return { keyring, release: await readFile(join(directory, 'InRelease')), served, indexPath, byHashPath };
}
