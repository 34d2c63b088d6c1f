/**
 * The real apt-get in a root of its own: nothing of this machine's configuration, lists, status or cache leaks in.
 * APT sees the archive in one of four ways: directly, through the daemon's prefix form, through it as a proxy, or
 * through the APT method.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linkMethods } from '../../scripts/support/apt-methods.ts';
import { run } from './process.ts';
import type { RunResult } from './process.ts';

export type Form = 'direct' | 'prefix' | 'proxy' | 'method';

export interface AptOptions {
  /** `http://127.0.0.1:PORT/debian`, as seen without the daemon. */
  readonly uri: string;
  /** Such as `trixie main contrib`, or `./` for a flat repository. */
  readonly suite: string;
  readonly keyring: string;
  readonly form?: Form;
  /** `http://127.0.0.1:PORT` of the daemon; needed unless the form is direct. */
  readonly daemon?: string;
  readonly architectures?: readonly string[];
  /** deb-src as well. */
  readonly source?: boolean;
  readonly languages?: string;
  /** Contents, dep11 and cnf as well. */
  readonly extras?: boolean;
  /** Lines of apt.conf. */
  readonly conf?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Whole lines for sources.list, in place of those made from `uri` and `suite`. */
  readonly sourcesList?: readonly string[];
}

export interface DownloadedFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

export interface AptResult extends RunResult {
  /** The files that the command left, sorted by name; none of partial/. */
  readonly files: readonly DownloadedFile[];
}

const EXTRAS = `Acquire::IndexTargets {
  deb::Contents { MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)"; ShortDescription "Contents"; Description "$(RELEASE)/$(COMPONENT) Contents"; };
  deb::DEP-11 { MetaKey "$(COMPONENT)/dep11/Components-$(NATIVE_ARCHITECTURE).yml"; ShortDescription "dep11"; Description "$(RELEASE)/$(COMPONENT) dep11"; };
  deb::CNF { MetaKey "$(COMPONENT)/cnf/Commands-$(NATIVE_ARCHITECTURE)"; ShortDescription "cnf"; Description "$(RELEASE)/$(COMPONENT) cnf"; };
};`;

/** A URL of the mirror as APT has to ask for it in `form`. */
export function formUri(uri: string, form: Form, daemon = ''): string {
  if (form === 'method') return formUri(uri, 'prefix', daemon.replace(/^http:/, 'debtorrent:'));
  if (form === 'prefix') return uri.replace(/^http:\//, daemon).replace(/^https:\//, `${daemon}/HTTPS//`);
  return form === 'proxy' ? uri.replace(/^https:\/\//, 'http://HTTPS///') : uri;
}

export class Apt {
  readonly root: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(options: AptOptions) {
    this.root = mkdtempSync(join(tmpdir(), 'dt-apt-'));
    const { root } = this;
    for (const directory of ['etc/apt.conf.d', 'etc/preferences.d', 'etc/trusted.gpg.d', 'etc/sources.list.d']) {
      mkdirSync(join(root, directory), { recursive: true });
    }
    for (const directory of ['state/lists/partial', 'cache/archives/partial', 'log', 'work']) {
      mkdirSync(join(root, directory), { recursive: true });
    }
    writeFileSync(join(root, 'status'), '');
    const { form = 'direct', daemon, architectures = ['amd64'], languages = 'en' } = options;
    const uri = formUri(options.uri, form, daemon);
    const attributes = `[signed-by=${options.keyring}]`;
    const sourcesList = options.sourcesList ?? [
      `deb ${attributes} ${uri} ${options.suite}`,
      ...(options.source === true ? [`deb-src ${attributes} ${uri} ${options.suite}`] : []),
    ];
    writeFileSync(join(root, 'etc/sources.list'), `${sourcesList.join('\n')}\n`);
    const conf = [
      `Dir::Etc "${root}/etc"; Dir::Etc::parts "${root}/etc/apt.conf.d"; Dir::Etc::main "none";`,
      `Dir::Etc::sourcelist "${root}/etc/sources.list"; Dir::Etc::sourceparts "${root}/etc/sources.list.d";`,
      `Dir::Etc::trusted "${root}/etc/trusted.gpg"; Dir::Etc::trustedparts "${root}/etc/trusted.gpg.d";`,
      `Dir::Etc::preferences "none"; Dir::Etc::preferencesparts "${root}/etc/preferences.d";`,
      `Dir::State "${root}/state"; Dir::State::status "${root}/status"; Dir::State::lists "${root}/state/lists";`,
      `Dir::Cache "${root}/cache"; Dir::Cache::archives "${root}/cache/archives"; Dir::Log "${root}/log";`,
      `APT::Architecture "amd64"; APT::Architectures { ${architectures.map((name) => `"${name}";`).join(' ')} };`,
      `APT::Sandbox::User "root"; APT::Get::AllowUnauthenticated "false"; APT::Install-Recommends "false";`,
      `Acquire::Languages "${languages}"; APT::Color "0"; Dpkg::Use-Pty "0"; Acquire::Retries "3";`,
      ...(form === 'method' ? [`Dir::Bin::methods "${linkMethods(join(this.root, 'methods'))}";`] : []),
      ...(form === 'proxy' ? [`Acquire::http::Proxy "${daemon}";`] : []),
      ...(options.extras === true ? [EXTRAS] : []),
      ...(options.conf ?? []),
    ];
    writeFileSync(join(root, 'apt.conf'), `${conf.join('\n')}\n`);
    this.#env = {
      PATH: process.env['PATH'],
      LC_ALL: 'C.UTF-8',
      APT_CONFIG: join(root, 'apt.conf'),
      HOME: root,
      ...options.env,
    };
  }

  /** What APT needs to know of this root, for other programs than apt-get. */
  get env(): NodeJS.ProcessEnv {
    return this.#env;
  }

  get(args: readonly string[], cwd = join(this.root, 'work')): Promise<RunResult> {
    return run('apt-get', ['-q', '-y', ...args], { cwd, env: this.#env });
  }

  /** The result's files are the lists. Any failure gives an exit code: by itself apt-get hides those that may pass. */
  async update(...args: readonly string[]): Promise<AptResult> {
    const result = await this.get(['update', '-o', 'APT::Update::Error-Mode=any', ...args]);
    return { ...result, files: filesIn(join(this.root, 'state/lists')) };
  }

  /** `apt-get download` into a directory emptied before. */
  async download(...packages: readonly string[]): Promise<AptResult> {
    return this.#intoWork(['download', ...packages]);
  }

  async installDownloadOnly(...packages: readonly string[]): Promise<AptResult> {
    const result = await this.get(['install', '--download-only', ...packages]);
    return { ...result, files: filesIn(join(this.root, 'cache/archives')) };
  }

  async source(...packages: readonly string[]): Promise<AptResult> {
    return this.#intoWork(['source', '--download-only', ...packages]);
  }

  async #intoWork(args: readonly string[]): Promise<AptResult> {
    const work = join(this.root, 'work');
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work);
    return { ...(await this.get(args)), files: filesIn(work) };
  }

  /** Forgets the lists, as on a new machine. */
  forgetLists(): void {
    const lists = join(this.root, 'state/lists');
    rmSync(lists, { recursive: true, force: true });
    mkdirSync(join(lists, 'partial'), { recursive: true });
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

function filesIn(directory: string): DownloadedFile[] {
  return readdirSync(directory)
    .toSorted()
    .filter((name) => name !== 'lock' && statSync(join(directory, name)).isFile())
    .map((name) => {
      const data = readFileSync(join(directory, name));
      return { name, size: data.length, sha256: createHash('sha256').update(data).digest('hex') };
    });
}
