/**
 * Part of a real archive: the packages of a list, fetched once with APT's own tools from the mirror that APT is
 * configured for, and kept for later runs with the same list.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { benchDirectory, configuredSites, copyPackages, copySuite } from '../../support/local-mirror.ts';
import { namedPackages } from '../../support/package-selection.ts';
import { type Scope, run } from '../../support/scope.ts';
import type { FileFacts, LoadArchive } from './load-archive.ts';

/** Of a list; more would be a mirror. */
const MAX_NAMES = 5000;

/** Names, one a line, the most wanted first; what follows a name and what follows a # is left out. Pure. */
export function parseList(text: string): string[] {
  const names = text.split('\n').flatMap((line) => /^\s*([a-z0-9][a-z0-9+.-]+)/.exec(line)?.[1] ?? []);
  return [...new Set(names)].slice(0, MAX_NAMES);
}

/** @throws Error when APT is configured for no archive, or it has none of the packages */
export async function subsetArchive(scope: Scope, list: string, say: (line: string) => void): Promise<LoadArchive> {
  const names = parseList(await readFile(list, 'utf8'));
  const key = createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16);
  const root = join(benchDirectory(), `subset-${key}`);
  await mkdir(root, { recursive: true });
  const [site] = await configuredSites(scope);
  if (site === undefined) throw new Error('APT is configured for no archive of this release');
  const architecture = (await run(scope, 'dpkg', ['--print-architecture'])).stdout.trim();
  say(`fetching what is missing of ${names.length} packages to ${root}`);
  const { archive, suite, index } = await copySuite(scope, root, site, architecture);
  const { stdout } = await run(scope, 'xz', ['-dc', join(root, archive, index)]);
  const packages = namedPackages(stdout, names);
  if (packages.length === 0) throw new Error(`${list}: the archive has none of its packages`);
  await copyPackages(scope, join(root, archive), site.url, packages);
  const release = await factsOf(join(root, archive), `dists/${suite}/InRelease`);
  const served = await factsOf(join(root, archive), index);
  return {
    root,
    base: archive,
    suite,
    architecture,
    keyring: undefined,
    release,
    index: { ...served, path: `${dirname(index)}/by-hash/SHA256/${served.sha256}` },
    indexPath: index,
    packages: packages.map(({ filename, ...one }) => ({ ...one, path: filename })),
  };
}

async function factsOf(directory: string, path: string): Promise<FileFacts> {
  const content = await readFile(join(directory, path)).catch(() => undefined);
  if (content === undefined) throw new Error(`${basename(path)} is missing`);
  return { path, size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}
