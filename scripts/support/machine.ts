/** Where the figures were measured, and against which versions. */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { aptCacherNgVersion } from './apt-cacher-ng.ts';
import { nginxVersion } from './nginx.ts';
import { type Scope, run } from './scope.ts';

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gb: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly peers: Readonly<Record<string, string>>;
}

const PROGRAMS = ['apt-get', 'apt-cacher-ng', 'nginx', 'wrk', 'xz', 'gpg', 'gpgconf', 'dpkg-query'];

/** Programs that the benchmarks need and that are not here. */
export async function missingPrograms(): Promise<string[]> {
  const directories = (process.env['PATH'] ?? '').split(':');
  const found = async (name: string): Promise<boolean> => {
    const here = directories.map((directory) => access(join(directory, name), constants.X_OK));
    return (await Promise.allSettled(here)).some(({ status }) => status === 'fulfilled');
  };
  const answers = await Promise.all(PROGRAMS.map(found));
  return PROGRAMS.filter((_, i) => answers[i] === false);
}

export async function machineFacts(scope: Scope): Promise<MachineFacts> {
  const [cpu] = cpus();
  const commit = await promisify(execFile)('git', ['rev-parse', '--short', 'HEAD']).then(
    ({ stdout }) => stdout.trim(),
    () => 'unknown',
  );
  const apt = (await run(scope, 'apt-get', ['--version'])).stdout.split(/\s/)[1] ?? 'unknown';
  const wrk = (await run(scope, 'dpkg-query', ['-W', '-f', '${Version}', 'wrk'])).stdout;
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    commit,
    peers: { apt, wrk, nginx: await nginxVersion(scope), 'apt-cacher-ng': await aptCacherNgVersion(scope) },
  };
}
