/** The root of a system that setup is let loose on: files as an administrator left them, and APT's real methods. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setup } from '../../../src/commands/setup/setup.ts';
import { parseCommandLine } from '../../../src/config/cli.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { DebtorrentError } from '../../../src/core/errors.ts';
import { MAIN } from '../../support/daemon.ts';
import { run, type RunResult } from '../../support/process.ts';

/** Setup flushes what it writes: on a disk that is most of the time that a test takes. */
const MEMORY = '/dev/shm';
const APT_METHODS = '/usr/lib/apt/methods';

interface Teardown {
  teardown(step: () => void): void;
}

export class Machine {
  readonly root: string;
  readonly #conf: string;
  /** Where setup finds programs. */
  programs = process.env['PATH'];

  constructor(t: Teardown, files: Readonly<Record<string, string>> = {}) {
    const top = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'dt-setup-'));
    t.teardown(() => rmSync(top, { recursive: true, force: true }));
    this.root = join(top, 'root');
    for (const directory of [
      'etc/apt/apt.conf.d',
      'etc/apt/sources.list.d',
      'etc/apt/preferences.d',
      'etc/apt/trusted.gpg.d',
      'usr/lib/apt/methods',
      'var/lib/apt/lists/partial',
      'var/lib/dpkg',
      'var/cache/apt/archives/partial',
      'var/log/apt',
    ]) {
      mkdirSync(join(this.root, directory), { recursive: true });
    }
    this.write('var/lib/dpkg/status', '');
    for (const [path, content] of Object.entries(files)) this.write(path, content);
    this.#conf = join(top, 'apt.conf');
    const conf = [
      `Dir "${this.root}/"; Dir::State::status "${this.root}/var/lib/dpkg/status"; Dir::Log "${this.root}/var/log/apt";`,
      `Dir::Bin::methods "${this.root}${APT_METHODS}";`,
      'APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Sandbox::User "root";',
      'APT::Install-Recommends "false"; Acquire::Languages "none"; Acquire::Retries "0"; APT::Color "0";',
    ];
    writeFileSync(this.#conf, `${conf.join('\n')}\n`);
  }

  path(path: string): string {
    return join(this.root, path);
  }

  /** @param content bytes, as latin1. */
  write(path: string, content: string, mode = 0o644): void {
    const file = this.path(path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content, 'latin1');
    chmodSync(file, mode);
    const longAgo = 1_600_000_000 + (content.length % 1000) + 0.123_456;
    utimesSync(file, longAgo, longAgo);
  }

  read(path: string): string {
    return readFileSync(this.path(path), 'latin1');
  }

  /** APT's own methods, so that APT can fetch. */
  withMethods(): this {
    for (const name of readdirSync(APT_METHODS)) {
      if (name !== 'debtorrent') symlinkSync(join(APT_METHODS, name), this.path(`${APT_METHODS}/${name}`));
    }
    return this;
  }

  /** Everything that is to be as it was: kinds, bytes, modes, owners, and files' times to the nanosecond. */
  snapshot(): Record<string, string> {
    const entries = readdirSync(this.root, { recursive: true, encoding: 'utf8' }).toSorted();
    return Object.fromEntries(
      entries.map((name) => {
        const path = this.path(name);
        const { mode, uid, gid, mtimeNs } = lstatSync(path, { bigint: true });
        const kind = lstatSync(path);
        const content = kind.isSymbolicLink()
          ? readlinkSync(path)
          : kind.isFile()
            ? `${mtimeNs} ${readFileSync(path, 'latin1')}`
            : '';
        return [name, `${mode.toString(8)} ${uid}:${gid} ${content}`];
      }),
    );
  }

  /** `debtorrent setup` on this root, without a terminal, in this process: what main.ts does with it. */
  async setup(...args: readonly string[]): Promise<RunResult> {
    const line = parseCommandLine(['setup', '--root', this.root, ...args]);
    if (line.command !== 'setup') throw new Error('not setup');
    const shown: Buffer[] = [];
    const stdout = new Writable({
      write(bytes: Buffer, _, done) {
        shown.push(bytes);
        done();
      },
    });
    const config = (defaultFile: string) =>
      loadConfig({ flags: line.flags, env: { HOME: '/' }, cwd: '/', defaultFile });
    const result = (code: number, said = ''): RunResult => {
      const text = Buffer.concat(shown).toString('utf8');
      return { code, stdout: text, output: text + said };
    };
    try {
      return result(
        await setup(line, { env: { ...this.env(), PATH: this.programs }, stdin: Readable.from([]), stdout, config }),
      );
    } catch (error) {
      if (!(error instanceof DebtorrentError)) throw error;
      return result(error.code === 'CONFIG_INVALID' ? 2 : 1, `debtorrent: ${error.message}\n`);
    }
  }

  /** The same in a process of its own, as people run it. */
  command(...args: readonly string[]): Promise<RunResult> {
    return run(process.execPath, [MAIN, 'setup', '--root', this.root, ...args], { env: this.env() });
  }

  /** A program of APT's that sees this root. */
  apt(program: string, ...args: readonly string[]): Promise<RunResult> {
    return run(program, args, { env: { ...this.env(), APT_CONFIG: this.#conf } });
  }

  /** Where APT would look for each Release, sorted: one for each address and suite. */
  async releases(): Promise<string[]> {
    const { code, stdout, output } = await this.apt('apt-get', 'update', '--print-uris');
    if (code !== 0) throw new Error(output);
    return [...new Set([...stdout.matchAll(/^'([^']+)'/gm)].map(([, uri = '']) => uri))].toSorted();
  }

  env(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', HOME: this.root };
  }
}
