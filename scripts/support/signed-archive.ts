/**
 * An archive of made-up files under the names of packages, signed by a key of its own, so that a proxy that checks
 * signatures takes them for what they are and one that goes by names does too.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
  const keyring = await writeDists(scope, join(root, 'dists', suite), suite, architecture, Buffer.from(index));
  return { keyring, suite, architecture, paths, hashes };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Index, by-hash, InRelease; returns the path of the public key. */
async function writeDists(
  scope: Scope,
  dists: string,
  suite: string,
  architecture: string,
  index: Buffer,
): Promise<string> {
  const directory = `main/binary-${architecture}`;
  const byHash = join(dists, directory, 'by-hash/SHA256', sha256(index));
  await mkdir(dirname(byHash), { recursive: true });
  await writeFile(byHash, index);
  await writeFile(join(dists, directory, 'Packages'), index);
  const release =
    `Origin: Bench\nLabel: Bench\nSuite: ${suite}\nCodename: ${suite}\nDate: ${new Date().toUTCString()}\n` +
    `Acquire-By-Hash: yes\nArchitectures: ${architecture}\nComponents: main\n` +
    `SHA256:\n ${sha256(index)} ${index.length} ${directory}/Packages\n`;
  await writeFile(join(dists, 'Release'), release.replace('GMT', 'UTC'));
  const home = await temporaryDirectory(scope, tmpdir(), 'bench-gpg');
  scope.defer(() => run(scope, 'gpgconf', ['--homedir', home, '--kill', 'all']));
  const gpg = ['--homedir', home, '--batch', '--quiet', '--yes', '--passphrase', ''];
  await run(scope, 'gpg', [...gpg, '--quick-generate-key', 'Bench <bench@debian.org>', 'ed25519', 'sign', 'never']);
  await run(scope, 'gpg', [...gpg, '--clearsign', '--output', join(dists, 'InRelease'), join(dists, 'Release')]);
  const keyring = join(home, 'bench.gpg');
  await run(scope, 'gpg', [...gpg, '--export', '--output', keyring]);
  return keyring;
}
