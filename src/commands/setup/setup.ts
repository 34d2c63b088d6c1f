/** `debtorrent setup`: has APT fetch through the daemon, shows what that changes first, and takes it back. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { DebtorrentError } from '../../core/errors.ts';
import { formatAuthority } from '../../core/http/authority.ts';
import { compileHostRules } from '../../core/host-rules.ts';
import { installed } from '../../config/installation.ts';
import { DEFAULT_CONFIG_FILE } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { apply, removeLeftovers } from './apply.ts';
import { helperNotes, proxyNotes } from './apt-proxy.ts';
import { aptPaths, type AptPaths } from './apt-paths.ts';
import { retriesCanHang } from './apt-version.ts';
import { hostsWithCredentials } from './auth-hosts.ts';
import {
  methodConfiguration,
  launcher,
  missingForMethod,
  methodFile,
  proxyFiles,
  thisInstallation,
  type InstalledFile,
} from './installed-files.ts';
import { originPins, pinThatDiffers } from './origin-pins.ts';
import { EMPTY_JOURNAL, JOURNAL_FILE, leftSomething, readJournal, type Journal } from './journal.ts';
import { planWithoutJournal } from './lost-journal.ts';
import { planSetup, planUndo, type Plan, type Wanted } from './plan.ts';
import { readableSources } from './readable-sources.ts';
import { RootedFiles } from './rooted-files.ts';
import { showNotes, showPlan } from './show.ts';
import type { RewriteRules } from './source-uri.ts';
import { tlsSettings } from './tls-settings.ts';
import { methodFailure } from './try-method.ts';

export interface SetupOptions {
  readonly undo: boolean;
  /** Set APT's proxy, in place of the method and the sources. */
  readonly proxy: boolean;
  /** Only show. */
  readonly print: boolean;
  /** Do not ask. */
  readonly yes: boolean;
  /** Relative to the working directory. */
  readonly root: string;
}

interface Surroundings {
  /** The configuration, with the file that is read when no other is named. */
  config(defaultFile: string): Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

type Settings = Pick<Config, 'listen' | 'socket' | 'allowMirror'>;

const USUAL_SOCKET = '/run/debtorrent/apt.sock';

/**
 * @returns the exit code: 0 when everything is as asked for, 1 when the person said no.
 * @throws DebtorrentError CONFIG_INVALID, SETUP_FAILED
 */
export async function setup(options: SetupOptions, around: Surroundings): Promise<number> {
  const root = absolute(options.root);
  const files = new RootedFiles(root);
  try {
    return await run({ ...options, root }, around, files);
  } finally {
    files.close();
  }
}

/** @throws DebtorrentError CONFIG_INVALID when the working directory has been removed. */
function absolute(root: string): string {
  try {
    return resolve(root);
  } catch {
    throw new DebtorrentError('CONFIG_INVALID', `--root: '${root}' is relative, and the working directory is gone`);
  }
}

async function run(options: SetupOptions, around: Surroundings, files: RootedFiles): Promise<number> {
  const { root } = options;
  const { env, stdout } = around;
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const paths = aptPaths(root, env);
  const noted = readJournal(files, owner.uid);
  const { sources, mirrorLists, notes } = readableSources(files, paths, owner);
  const asked = options.undo
    ? undefined
    : wanted(around.config(configFile(files)), options, files, paths, env, mirrorLists);
  const { journal, plan: planned } = planFor(files, paths, noted, sources, asked && { ...asked, owner });
  const method = planned.after.some(({ role }) => role === 'method');
  const missing = method ? missingForMethod(files, thisInstallation()) : undefined;
  const more = [...(asked?.notes ?? []), ...(missing === undefined ? [] : [missing])];
  const plan = { ...planned, notes: [...notes, ...planned.notes, ...more] };
  const forTerminal = stdout.isTTY ?? false;
  stdout.write(showPlan(plan, root, forTerminal));
  const sayHelper = (): void => {
    if (!options.undo && options.proxy) stdout.write(showNotes(helperNotes(root, env), forTerminal));
  };
  if (options.print) return 0;
  if (plan.changes.length === 0 && !(options.undo && leftSomething(files))) {
    removeLeftovers(files, plan.during);
    stdout.write('nothing to change\n');
    sayHelper();
    return 0;
  }
  if (!options.undo && !options.proxy && root === '/') checkMethod(method, paths, env);
  if (!options.undo && !options.yes && !(await agreed(around))) {
    stdout.write('nothing was changed\n');
    return 1;
  }
  apply(files, plan, journal, owner);
  const addresses = plan.changes.some(({ role }) => role === 'sources');
  stdout.write(options.undo ? 'undone' : 'done; setup --undo takes it back');
  stdout.write(addresses ? '; run apt-get update now: APT keeps its lists by address\n' : '\n');
  sayHelper();
  return 0;
}

/** @param asked undefined: what setup did is taken back. */
function planFor(
  files: RootedFiles,
  paths: AptPaths,
  noted: Journal | undefined,
  sources: string[],
  asked: Omit<Wanted, 'sources'> | undefined,
): { journal: Journal; plan: Plan } {
  const journal = noted ?? EMPTY_JOURNAL;
  if (asked) return { journal, plan: planSetup(files, journal, { ...asked, sources }) };
  if (noted) return { journal, plan: planUndo(files, noted, sources) };
  return planWithoutJournal(files, paths, sources, files.shown(JOURNAL_FILE));
}

/**
 * @param ours setup installs the method; otherwise one is there already.
 * @throws DebtorrentError SETUP_FAILED when APT could fetch nothing by it.
 */
function checkMethod(ours: boolean, paths: AptPaths, env: NodeJS.ProcessEnv): void {
  const failure = ours
    ? methodFailure(...launcher(thisInstallation(), env))
    : methodFailure(`${paths.methods}/debtorrent`, env);
  if (failure === undefined) return;
  throw new DebtorrentError(
    'SETUP_FAILED',
    `APT's method does not work here, nothing was changed: ${failure}; setup --proxy needs no method`,
  );
}

/** Of the system below the root. @throws DebtorrentError SETUP_FAILED when it is no regular file. */
function configFile(files: RootedFiles): string {
  const path = files.read(DEFAULT_CONFIG_FILE) && files.resolve(DEFAULT_CONFIG_FILE);
  return files.shown(path ?? DEFAULT_CONFIG_FILE);
}

/** @throws DebtorrentError CONFIG_INVALID where there is nobody to ask. */
async function agreed({ stdin, stdout }: Surroundings): Promise<boolean> {
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new DebtorrentError(
      'CONFIG_INVALID',
      'setup: there is no terminal to ask on; --yes goes on without, --print only shows',
    );
  }
  const lines = createInterface({ input: stdin, output: stdout });
  const closed = new Promise<string>((done) => lines.once('close', () => done('')));
  try {
    const answer = await Promise.race([lines.question('Change these files? [y/N] '), closed]);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

function wanted(
  config: Settings,
  { proxy }: SetupOptions,
  files: RootedFiles,
  paths: AptPaths,
  env: NodeJS.ProcessEnv,
  mirrorLists: ReadonlySet<string>,
): { installs: InstalledFile[]; rules: RewriteRules | undefined; notes: string[] } {
  const { host, port } = config.listen;
  if (port === 0) throw new DebtorrentError('CONFIG_INVALID', "--listen: '0' is not the port of a running daemon");
  const name = LOCALHOST.has(host) ? 'localhost' : host;
  const daemon = formatAuthority(name, port);
  const names = THIS_MACHINE.has(host) ? THIS_MACHINE : [host];
  const spellings = new Set([...names].map((each) => formatAuthority(each, port)));
  const notes = proxyNotes(files.root, env, spellings);
  const credentials = hostsWithCredentials(files, paths);
  if (proxy) {
    const helper = readFileSync(installed('bin/debtorrent-proxy-detect'), 'utf8');
    if (credentials.size > 0) {
      const hosts = [...credentials].toSorted().join(', ');
      notes.push(`APT has a password for ${hosts}: it asks there without the daemon, which passes none on`);
    }
    return { installs: proxyFiles(paths, daemon, helper, credentials), rules: undefined, notes };
  }
  const socket = config.socket === USUAL_SOCKET ? undefined : config.socket;
  const pins = originPins(files, paths);
  const rules: RewriteRules = {
    daemon,
    alsoDaemon: spellings,
    hosts: compileHostRules(config.allowMirror),
    mirrorLists,
    hasCredentials: (mirror) => credentials.has(mirror),
    tlsOptionOf: tlsSettings(files.root, env),
    pinOf(mirror) {
      const pin = pinThatDiffers(pins, mirror, name);
      return pin && { pattern: pin.pattern, file: files.shown(pin.path) };
    },
  };
  const configuration = methodConfiguration(paths, socket, retriesCanHang(files.root, env));
  return { installs: [methodFile(paths, thisInstallation()), configuration], rules, notes };
}

/** What leads to a daemon that listens there. `localhost` is 127.0.0.1 for sure, and ::1 only where /etc/hosts says so. */
const LOCALHOST: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '0.0.0.0', '::']);
/** Names that are taken for the same daemon. */
const THIS_MACHINE: ReadonlySet<string> = new Set([...LOCALHOST, '::1']);
