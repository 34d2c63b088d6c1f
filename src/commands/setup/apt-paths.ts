/** What APT below a root has in its configuration, by its own word; above all, where its files are. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { DebtorrentError } from '../../core/errors.ts';

/** Absolute, seen from the root, without a slash at the end. */
export interface AptPaths {
  /** A file in the one-line format. */
  readonly sourceList: string;
  /** Directory of `*.list` and `*.sources`. */
  readonly sourceParts: string;
  /** Directory of configuration files. */
  readonly confParts: string;
  readonly methods: string;
  /** Passwords: a file, and a directory of `*.conf`. */
  readonly auth: string;
  readonly authParts: string;
  /** Priorities: a file, and a directory of them. */
  readonly preferences: string;
  readonly preferenceParts: string;
}

/** What an answer is called, and the option that is asked for. */
type Question = readonly [name: string, option: string];

/** Name, what APT calls it, and what it is on any machine whose administrator has not changed it. */
const PATHS: readonly (readonly [keyof AptPaths, string, string])[] = [
  ['sourceList', 'Dir::Etc::sourcelist/f', '/etc/apt/sources.list'],
  ['sourceParts', 'Dir::Etc::sourceparts/d', '/etc/apt/sources.list.d'],
  ['confParts', 'Dir::Etc::parts/d', '/etc/apt/apt.conf.d'],
  ['methods', 'Dir::Bin::methods/d', '/usr/lib/apt/methods'],
  ['auth', 'Dir::Etc::netrc/f', '/etc/apt/auth.conf'],
  ['authParts', 'Dir::Etc::netrcparts/d', '/etc/apt/auth.conf.d'],
  ['preferences', 'Dir::Etc::preferences/f', '/etc/apt/preferences'],
  ['preferenceParts', 'Dir::Etc::preferencesparts/d', '/etc/apt/preferences.d'],
];

const TIMEOUT_MS = 10_000;

/** @see askApt */
export function aptPaths(root: string, env: NodeJS.ProcessEnv): AptPaths {
  const questions = PATHS.map(([name, option]) => [name, option] as const);
  const answers = askApt(root, env, questions);
  const entries = PATHS.map(([name, , usual]) => [name, seenFrom(root, answers?.get(name) ?? '', usual)] as const);
  return Object.fromEntries(entries) as unknown as AptPaths;
}

/**
 * @param root absolute; '/' is this machine, with its environment (APT_CONFIG); below any other only the configuration there
 *   counts.
 * @returns what is set, by name; undefined where there is no apt-config: other machines than Debian's can set up a root
 *   all the same.
 * @throws DebtorrentError SETUP_FAILED
 */
export function askApt(
  root: string,
  env: NodeJS.ProcessEnv,
  questions: readonly Question[],
): ReadonlyMap<string, string> | undefined {
  const lines = aptConfig(root, env, ['shell', ...questions.flat()]);
  return lines && new Map(lines.flatMap(assignment));
}

/** All that is set below an option, by its whole name. @see askApt */
export function dumpApt(
  root: string,
  env: NodeJS.ProcessEnv,
  option: string,
): readonly (readonly [string, string])[] | undefined {
  const lines = aptConfig(root, env, ['dump', '--format', '%f=%v%n', option]);
  return lines?.flatMap((line) => {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
}

function aptConfig(root: string, env: NodeJS.ProcessEnv, args: readonly string[]): string[] | undefined {
  return root === '/' ? runAptConfig(env, args) : runBelow(root, env, args);
}

/** APT reads the configuration below the directory that Dir names; RootDir would have it look for dpkg there, too. */
function runBelow(...[root, env, args]: Parameters<typeof aptConfig>): string[] | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'debtorrent-setup-'));
  try {
    const file = join(directory, 'apt.conf');
    if (/["\\\n]/.test(root))
      throw new DebtorrentError('CONFIG_INVALID', `--root: '${root}' is no name that APT reads`);
    writeFileSync(file, `Dir "${root}/";\n`);
    return runAptConfig({ ...env, APT_CONFIG: file }, args);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function runAptConfig(env: NodeJS.ProcessEnv, args: readonly string[]): string[] | undefined {
  const { status, stdout, error } = spawnSync('apt-config', args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    env,
  });
  if (error && 'code' in error && error.code === 'ENOENT') return undefined;
  if (status !== 0) throw new DebtorrentError('SETUP_FAILED', "apt-config cannot read APT's configuration");
  return stdout.split('\n');
}

/** `name='value'` with quotes as the shell reads them. */
function assignment(line: string): [string, string][] {
  const [, name, quoted] = /^(\w+)='(.*)'$/.exec(line) ?? [];
  return name === undefined || quoted === undefined ? [] : [[name, quoted.replaceAll("'\\''", "'")]];
}

function seenFrom(root: string, answer: string, usual: string): string {
  if (!answer.startsWith('/')) return usual;
  const inside = relative(root, answer);
  // what the configuration below the root says without regard to Dir is seen from there
  return inside === '..' || inside.startsWith('../') ? resolve(answer) : `/${inside}`;
}
