/** Lays the files of the Debian package out below a directory, as they are to be installed. */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { bashCompletion } from '../manual/completion.ts';
import { manPages } from '../manual/man-pages.ts';
import { exampleToml } from '../manual/toml.ts';
import { changelog, control, copyright, type Release } from './metadata.ts';
import { productionPackages } from './production-packages.ts';

const HOME = 'usr/share/debtorrent';
const DOC = 'usr/share/doc/debtorrent';
const PROGRAM = ['bin', 'assets', 'dist/program', 'package.json'];
/** Directories and files of npm packages that nothing reads at run time. */
const UNREAD_DIRECTORY =
  /^(?:tests?|__tests__|\.github|\.idea|\.vscode|bench|benchmarks?|examples?|docs?|coverage|man|fixtures)$/;
const UNREAD_FILE =
  /^(?:\..*|.*\.(?:[cm]?ts|tsx|map|flow|tgz|png|yml|html|sh)|(?!licen[cs]e|notice|copying).*\.(?:md|markdown)|package-lock\.json|tsconfig.*\.json|bower\.json|Makefile|Gruntfile\.js|karma.*\.js|rollup\.config\..*)$/i;

/** @param root the checkout, built @param stage an empty directory */
export function stage(root: string, stageDir: string, release: Release): void {
  const at = (path: string) => join(stageDir, path);
  const write = (path: string, content: string | Buffer, mode = 0o644) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
    chmodSync(at(path), mode);
  };
  const packaging = (name: string) => readFileSync(join(root, 'packaging', name));

  for (const path of PROGRAM) cpSync(join(root, path), at(`${HOME}/${path}`), { recursive: true, filter: isRead });
  const packages = productionPackages(root);
  // the others are in the program's files
  const unbundled = JSON.parse(readFileSync(join(root, 'scripts/lib/unbundled.json'), 'utf8')) as string[];
  for (const { path } of packages.filter(({ name }) => unbundled.includes(name))) {
    cpSync(join(root, path), at(`${HOME}/${path}`), { recursive: true, filter: isRead });
  }
  mkdirSync(at('usr/bin'), { recursive: true });
  symlinkSync('../share/debtorrent/bin/debtorrent', at('usr/bin/debtorrent'));
  write(
    'usr/lib/apt/methods/debtorrent',
    '#!/bin/sh\n# What APT runs for debtorrent:// sources; see apt-transport-debtorrent(1).\n' +
      `DEBTORRENT_ROOT=/${HOME}\n. "$DEBTORRENT_ROOT/bin/apt-method"\n`,
    0o755,
  );
  write('etc/debtorrent/debtorrent.toml', exampleToml());
  write('usr/lib/systemd/system/debtorrent.service', packaging('debtorrent.service'));
  write('usr/share/bash-completion/completions/debtorrent', bashCompletion());
  for (const { name, section, text } of manPages(release.version, release.date.toISOString().slice(0, 10))) {
    write(`usr/share/man/man${section}/${name}.${section}.gz`, packed(text));
  }
  write(
    `${DOC}/copyright`,
    copyright(packages, (path) => readFileSync(join(root, path), 'utf8')),
  );
  write(`${DOC}/changelog.gz`, packed(changelog(release)));
  for (const name of readdirSync(join(root, 'packaging/examples'))) {
    write(`${DOC}/examples/${name}`, packaging(`examples/${name}`));
  }
  for (const name of readdirSync(join(root, 'docs'))) {
    if (/^(?:OPERATIONS|CONFIGURATION|ERRORS|PROTOCOL|ARCHITECTURE)\.md$/.test(name)) {
      write(`${DOC}/${name}.gz`, packed(readFileSync(join(root, 'docs', name))));
    }
  }
  write('DEBIAN/conffiles', '/etc/debtorrent/debtorrent.toml\n');
  for (const name of ['postinst', 'prerm', 'postrm']) write(`DEBIAN/${name}`, packaging(name), 0o755);
  write('DEBIAN/control', control(release, kibibytes(stageDir)));
  settleModes(stageDir);
}

function isRead(path: string): boolean {
  const name = basename(path);
  return !UNREAD_FILE.test(name) && !UNREAD_DIRECTORY.test(name);
}

/** Without the time, so that the same sources give the same package. */
function packed(content: string | Buffer): Buffer {
  const bytes = gzipSync(content, { level: 9 });
  bytes.writeUInt32LE(0, 4);
  return bytes;
}

/** Modes of npm's archives and of this checkout's umask are no part of the package. */
function settleModes(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) settleModes(path);
    else if (entry.isFile()) chmodSync(path, isProgram(path) ? 0o755 : 0o644);
  }
}

function isProgram(path: string): boolean {
  return readFileSync(path).subarray(0, 2).toString() === '#!';
}

/** As Installed-Size counts: each file rounded up, a directory one. */
function kibibytes(directory: string): number {
  return readdirSync(directory, { withFileTypes: true, recursive: true }).reduce((sum, entry) => {
    const size = entry.isFile() ? readFileSync(join(entry.parentPath, entry.name)).length : 1;
    return sum + Math.ceil(size / 1024);
  }, 0);
}
