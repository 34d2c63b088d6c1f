/**
 * A copy of a small part of a real archive: the signed Release files and indexes of this machine's suite, its
 * updates and its security archive, and a few hundred packages. Downloaded once, with APT's own tools from the
 * mirror that APT is configured for, and kept for later runs.
 */
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ChosenPackage, choosePackages } from './package-selection.ts';
import { type Scope, run } from './scope.ts';

const PACKAGE_COUNT = 420;
const HELPER = '/usr/lib/apt/apt-helper';

export interface MirrorSuite {
  /** Path of the archive below the root of the copy, such as `debian`. */
  readonly archive: string;
  readonly suite: string;
  /** Path of the Packages.xz of main, relative to the archive. */
  readonly index: string;
}

export interface LocalMirror {
  /** What a web server serves. */
  readonly root: string;
  readonly architecture: string;
  /** The release, its updates, its security archive; the first is the one whose packages are here. */
  readonly suites: readonly MirrorSuite[];
  readonly packages: readonly ChosenPackage[];
}

interface Manifest {
  readonly version: 1;
  /** Milliseconds since the epoch; after that the Release files have expired or are of another month. */
  readonly refreshAfter: number;
  readonly mirror: Omit<LocalMirror, 'root'>;
}

interface Site {
  readonly url: string;
  readonly suite: string;
}

const WEEK = 7 * 24 * 3600 * 1000;

/** The directory that holds the copy and everything else that benchmarks keep between runs. */
export function benchDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'debtorrent-bench');
}

export async function localMirror(scope: Scope, say: (line: string) => void): Promise<LocalMirror> {
  const root = join(benchDirectory(), 'mirror');
  const manifestPath = join(benchDirectory(), 'mirror.json');
  const known = await readFile(manifestPath, 'utf8').then(
    (text) => JSON.parse(text) as Manifest,
    () => undefined,
  );
  if (known?.version === 1 && Date.now() < known.refreshAfter) return { root, ...known.mirror };
  say(`downloading ${PACKAGE_COUNT} packages once to ${root}`);
  await rm(manifestPath, { force: true });
  const architecture = (await run(scope, 'dpkg', ['--print-architecture'])).stdout.trim();
  const suites: MirrorSuite[] = [];
  let refreshAfter = Date.now() + WEEK;
  for (const site of await configuredSites(scope)) {
    const copied = await copySuite(scope, root, site, architecture);
    suites.push(copied);
    const release = await readFile(join(root, copied.archive, 'dists', copied.suite, 'InRelease'), 'utf8');
    const until = /^Valid-Until: (.+)$/m.exec(release)?.[1];
    if (until !== undefined) refreshAfter = Math.min(refreshAfter, Date.parse(until) - 3600_000);
  }
  const [site] = await configuredSites(scope);
  const [main] = suites;
  if (site === undefined || main === undefined) throw new Error('APT is configured for no archive of this release');
  const { stdout: index } = await run(scope, 'xz', ['-dc', join(root, main.archive, main.index)]);
  const packages = choosePackages(index, PACKAGE_COUNT);
  await copyPackages(scope, join(root, main.archive), site.url, packages);
  const manifest: Manifest = { version: 1, refreshAfter, mirror: { architecture, suites, packages } };
  await writeFile(`${manifestPath}.new`, JSON.stringify(manifest));
  await rename(`${manifestPath}.new`, manifestPath);
  return { root, ...manifest.mirror };
}

/** The release that this machine runs, with its updates and security archive, as APT's configuration has them. */
export async function configuredSites(scope: Scope): Promise<Site[]> {
  const codename = /^VERSION_CODENAME="?([\w-]+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  if (codename === undefined) throw new Error('/etc/os-release names no release');
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)';
  const { stdout } = await run(scope, 'apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const lines = stdout.split('\n').map((line) => line.split(' '));
  return ['', '-updates', '-security'].flatMap((suffix) => {
    const suite = codename + suffix;
    const url = lines.find((line) => line[1] === suite && line[2] === 'main')?.[0]?.replace(/\/$/, '');
    return url === undefined ? [] : [{ url, suite }];
  });
}

/** APT's own downloader: its proxy settings and certificates, and the hash checked. Arguments come in threes. */
async function download(scope: Scope, triples: readonly string[]): Promise<void> {
  await run(scope, HELPER, ['-o', 'APT::Sandbox::User=root', 'download-file', ...triples]);
}

export async function copySuite(scope: Scope, root: string, site: Site, architecture: string): Promise<MirrorSuite> {
  const archive = site.url.split('/').at(-1) ?? 'debian';
  const dists = join(root, archive, 'dists', site.suite);
  await mkdir(dists, { recursive: true });
  await download(scope, [`${site.url}/dists/${site.suite}/InRelease`, join(dists, 'InRelease')]);
  const release = await readFile(join(dists, 'InRelease'), 'utf8');
  const name = `main/binary-${architecture}/Packages.xz`;
  const hash = new RegExp(`^ ([0-9a-f]{64}) +\\d+ ${name}$`, 'm').exec(release)?.[1];
  if (hash === undefined) throw new Error(`${site.suite} has no ${name}`);
  const directory = join(dists, dirname(name));
  const byHash = join(directory, 'by-hash/SHA256', hash);
  await mkdir(dirname(byHash), { recursive: true });
  if (!existsSync(byHash)) {
    const url = `${site.url}/dists/${site.suite}/${dirname(name)}/by-hash/SHA256/${hash}`;
    await download(scope, [url, byHash, `SHA256:${hash}`]);
  }
  await rm(join(dists, name), { force: true });
  await link(byHash, join(dists, name));
  return { archive, suite: site.suite, index: `dists/${site.suite}/${name}` };
}

export async function copyPackages(
  scope: Scope,
  root: string,
  url: string,
  packages: readonly ChosenPackage[],
): Promise<void> {
  const triples: string[] = [];
  for (const { filename, sha256, size } of packages) {
    const path = join(root, filename);
    await mkdir(dirname(path), { recursive: true });
    const have = await stat(path).catch(() => undefined);
    if (have?.size !== size)
      triples.push(`${url}/${encodeURI(filename).replaceAll('+', '%2B')}`, path, `SHA256:${sha256}`);
  }
  if (triples.length > 0) await download(scope, triples);
}
