/** Where the figures were measured, and against which versions. */
import { execFile } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
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

/** Throws, naming the program, where one of the peers is not installed. */
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
