/**
 * Roots of Debian systems for tests that install packages for real. mmdebstrap makes one of each suite a month, from
 * the mirror that this machine's APT uses, and it is kept in the user's cache directory; each test has a copy.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, skipWithout, type RunResult } from '../support/process.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';

/** The checkout, seen from dist/test/system. */
const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const BUILD_S = 200;
/** Less to write, and nothing to wait for. */
const DPKG = ['force-unsafe-io', ...['doc', 'man', 'locale'].map((name) => `path-exclude=/usr/share/${name}/*`)].map(
  (option) => `--dpkgopt=${option}`,
);
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The reason why there can be no such root here, or false. */
export function skipWithoutChroot(): string | false {
  const missing = skipWithout('mmdebstrap', 'flock', 'timeout', 'apt-get', 'unshare', 'chroot', 'tar');
  if (missing !== false) return missing;
  if (process.getuid?.() !== 0) return 'not root';
  return skipWithoutMount() || (mirrors().length === 0 && "this machine's APT has no Debian mirror");
}

interface DebianMirror {
  readonly uri: string;
  readonly codename: string;
}

/** Where this machine gets Debian from, as APT says. */
function mirrors(): DebianMirror[] {
  const filters = ['Created-By: Packages', 'Origin: Debian', 'Label: Debian', 'Component: main'];
  const text = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(CODENAME)', ...filters], {
    encoding: 'utf8',
  });
  return text.split('\n').flatMap((line) => {
    const [uri = '', codename = ''] = line.split(' ');
    return /^https?:/.test(uri) && /^[a-z]+$/.test(codename) ? [{ uri, codename }] : [];
  });
}

/** The suite that this machine runs, and trixie, which has APT 3: one or two. */
export function suites(): string[] {
  return [...new Set([mirrors()[0]?.codename ?? 'trixie', 'trixie'])];
}

/** One process at a time makes a tarball, and takes what mmdebstrap has started with it when it takes too long. */
const BUILD = `[ -e "$1" ] && exit
  rm -f "$2"
  timeout --kill-after=10 ${BUILD_S} mmdebstrap "\${@:3}" "$2" "$MIRROR" && mv "$2" "$1"`;

/** What tests keep from one run to the next. */
export function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'debtorrent-tests');
}

/** The tarball of a suite; throws with the last that mmdebstrap said when it cannot be made. */
async function tarball(suite: string): Promise<string> {
  const directory = cacheDirectory();
  const month = new Date().toISOString().slice(0, 7);
  const file = join(directory, `${suite}-${month}.tar`);
  if (existsSync(file)) return file;
  mkdirSync(directory, { recursive: true });
  const lock = join(directory, `${suite}.lock`);
  const building = join(directory, `${suite}.building.tar`);
  const mmdebstrap = ['--quiet', '--variant=apt', '--components=main', ...DPKG, suite];
  const { code, output } = await run('flock', [lock, 'bash', '-c', BUILD, 'bash', file, building, ...mmdebstrap], {
    env: { ...process.env, MIRROR: mirrors()[0]?.uri ?? '' },
    timeoutMs: 2 * BUILD_S * 1000,
  });
  if (code !== 0) throw new Error(`mmdebstrap: ${output.trim().split('\n').at(-1) ?? ''}`);
  const old = readdirSync(directory).filter((name) => name.startsWith(`${suite}-`) && name !== basename(file));
  for (const name of old) rmSync(join(directory, name), { force: true });
  return file;
}

interface Teardown {
  teardown(step: () => void): void;
}

export class Chroot {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** @returns the reason when there can be none. */
  static async make(t: Teardown, suite: string): Promise<Chroot | string> {
    let base: string;
    try {
      base = await tarball(suite);
    } catch (error) {
      return (error as Error).message;
    }
    const top = mkdtempSync(join(tmpdir(), 'dt-chroot-'));
    t.teardown(() => rmSync(top, { recursive: true, force: true }));
    const root = join(top, suite);
    mkdirSync(root);
    execFileSync('tar', ['--extract', '--numeric-owner', '--file', base, '--directory', root]);
    const chroot = new Chroot(root);
    mkdirSync(join(root, CHECKOUT), { recursive: true });
    chroot.write(process.execPath, '');
    chroot.write('/etc/hosts', '127.0.0.1 localhost\n');
    return chroot;
  }

  write(path: string, content: string | Buffer): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), content);
  }

  /**
   * Runs a program inside, with this checkout and its Node where they are outside. What is mounted for it goes with it;
   * it shares the network.
   */
  run(...command: readonly string[]): Promise<RunResult> {
    const script = `set -e
      mount -t proc proc "$1/proc"
      mount --bind "$2" "$1$2"
      mount --bind "$3" "$1$3"
      root=$1; shift 3
      exec chroot "$root" "$@"`;
    const args = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      'sh',
      this.root,
      CHECKOUT,
      process.execPath,
    ];
    const env = { PATH, LC_ALL: 'C.UTF-8', HOME: '/root', DEBIAN_FRONTEND: 'noninteractive' };
    return run('unshare', [...args, ...command], { env });
  }

  /** `debtorrent` of this checkout. */
  debtorrent(...args: readonly string[]): Promise<RunResult> {
    return this.run(process.execPath, join(CHECKOUT, 'bin/debtorrent'), ...args);
  }
}
