/** `npm run build:deb [-- DIRECTORY]`: makes debtorrent_VERSION_all.deb, in dist/ unless told otherwise, and says its size. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { debianVersion, type Release } from './metadata.ts';
import { stage } from './stage.ts';

const MAX_BYTES = 15 * 1024 * 1024;

/** @param as the version, when it is not that of package.json. @returns the package's path. */
export function buildDeb(directory: string, as?: string): string {
  const root = fileURLToPath(new URL('../../../', import.meta.url)); // from dist/scripts/deb/
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { DEBFULLNAME = 'DebTorrent maintainers', DEBEMAIL = 'debtorrent@users.noreply.github.com' } = process.env;
  const epoch = sourceDate(root);
  const release: Release = {
    version: debianVersion(as ?? version),
    date: new Date(epoch * 1000),
    maintainer: `${DEBFULLNAME} <${DEBEMAIL}>`,
  };
  mkdirSync(directory, { recursive: true });
  const deb = join(directory, `debtorrent_${release.version}_all.deb`);
  const stageDir = mkdtempSync(join(directory, '.deb-'));
  try {
    stage(root, stageDir, release);
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', stageDir, deb], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
    });
  } finally {
    rmSync(stageDir, { recursive: true });
  }
  const { size } = statSync(deb);
  if (size > MAX_BYTES) throw new Error(`${deb} has ${size} bytes, more than ${MAX_BYTES}`);
  return deb;
}

/** Seconds since the epoch: SOURCE_DATE_EPOCH, the last commit, or now. */
function sourceDate(root: string): number {
  const given = Number(process.env['SOURCE_DATE_EPOCH']);
  if (given > 0) return given;
  try {
    const said = execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(said.toString()) || Math.floor(Date.now() / 1000);
  } catch {
    return Math.floor(Date.now() / 1000);
  }
}

export function main(args: readonly string[]): void {
  const deb = buildDeb(resolve(args[0] ?? 'dist'));
  console.log(`${deb}  ${(statSync(deb).size / 1024 / 1024).toFixed(1)} MiB`);
}
