/** Real apt-get with a root of its own: lists, caches and configuration apart from the machine's. */
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { quiet } from './quiet.ts';
import { type Scope, run } from './scope.ts';
import { touchMemory } from './touched-memory.ts';

export interface AptRoot {
  update(): Promise<void>;
  /**
   * Downloads packages into an empty directory and returns the wall time; throws if one is missing. Waits for a
   * machine that is ready (`settle`) first, unless the caller has done so for several roots at once.
   */
  download(packages: readonly Wanted[], settled?: 'settled'): Promise<number>;
  /** What `download` costs without the download: reading lists and working out the addresses. */
  plan(packages: readonly { readonly name: string; readonly version: string }[]): Promise<number>;
  /** Where the last download went. */
  downloads(): string;
}

interface Wanted {
  readonly name: string;
  readonly version: string;
  readonly size: number;
}

export interface AptRootOptions {
  readonly directory: string;
  readonly architecture: string;
  /** Lines of a sources.list. */
  readonly sources: readonly string[];
  /** A command that runs the command after it, such as `ip netns exec NAME`. */
  readonly through?: readonly string[];
  /** URL of a proxy; none. */
  readonly proxy?: string | undefined;
  /** A folder of methods in place of APT's. */
  readonly methods?: string;
  /** Of each file; none. */
  readonly retries?: number;
  /** Ends what apt-get is doing. */
  readonly signal?: AbortSignal;
  /** Further lines of apt.conf. */
  readonly conf?: readonly string[];
}

/** Before a turn that writes about that many bytes: nothing left to be written, a quiet machine, touched memory. */
export async function settle(scope: Scope, directory: string, bytes: number): Promise<void> {
  await run(scope, 'sync', []);
  await quiet();
  await touchMemory(directory, bytes);
}

export async function createAptRoot(scope: Scope, options: AptRootOptions): Promise<AptRoot> {
  const { directory } = options;
  for (const name of ['lists/partial', 'cache/archives/partial', 'etc', 'out', 'state']) {
    await mkdir(join(directory, name), { recursive: true });
  }
  await writeFile(join(directory, 'etc/sources.list'), `${options.sources.join('\n')}\n`);
  await writeFile(join(directory, 'state/status'), '');
  const configuration = join(directory, 'etc/apt.conf');
  await writeFile(
    configuration,
    `Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "${directory}/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "${directory}/state";
Dir::State::lists "${directory}/lists";
Dir::State::status "${directory}/state/status";
Dir::Cache "${directory}/cache";
APT::Architecture "${options.architecture}";
APT::Architectures "${options.architecture}";
APT::Sandbox::User "root";
Acquire::Languages "none";
${options.methods === undefined ? '' : `Dir::Bin::methods "${options.methods}";`}
Acquire::http::Proxy "${options.proxy ?? 'DIRECT'}";
Acquire::Retries "${options.retries ?? 0}";
quiet "2";
${(options.conf ?? []).join('\n')}
`,
  );
  let out = join(directory, 'out');
  let downloads = 0;
  const env = { ...process.env, APT_CONFIG: configuration, LC_ALL: 'C' };
  const how = { env, ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const [program, ...before] = [...(options.through ?? []), 'apt-get'];
  const apt = (args: readonly string[], cwd = directory) => run(scope, program, [...before, ...args], { cwd, ...how });
  const names = (packages: readonly { name: string; version: string }[]) =>
    packages.map((p) => `${p.name}=${p.version}`);
  return {
    downloads: () => out,
    async update() {
      await apt(['update', '-o', 'APT::Update::Error-Mode=any']);
    },
    async plan(packages) {
      return (await apt(['download', '--print-uris', ...names(packages)])).ms;
    },
    async download(packages, settled) {
      // Directories are left for the end: ext4 makes files slowly where others have just been removed.
      out = join(directory, `out-${++downloads}`);
      const expected = packages.reduce((sum, p) => sum + p.size, 0);
      await mkdir(out);
      if (settled === undefined) await settle(scope, directory, 3 * expected);
      const { ms } = await apt(['download', ...names(packages)], out);
      const files = await readdir(out);
      let bytes = 0;
      for (const file of files) bytes += (await stat(join(out, file))).size;
      if (files.length !== packages.length || bytes !== expected) {
        throw new Error(`apt-get left ${files.length} files of ${bytes} bytes, not ${packages.length} of ${expected}`);
      }
      return ms;
    },
  };
}
