/** apt-cacher-ng as the peer among caching proxies: Debian's defaults, a cache and a port of its own. */
import type { ChildProcess } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { httpStatus, until } from './http-client.ts';
import { type Scope, run, startProcess } from './scope.ts';

/** Starts it on `port` with its cache in `home`, which is created if missing. */
export async function startAptCacherNg(scope: Scope, home: string, port: number): Promise<ChildProcess> {
  await mkdir(join(home, 'cache'), { recursive: true });
  await mkdir(join(home, 'log'), { recursive: true });
  const settings = [
    'ForeGround=1',
    `Port=${port}`,
    'BindAddress=127.0.0.1',
    `CacheDir=${home}/cache`,
    `LogDir=${home}/log`,
    `SocketPath=${home}/socket`,
    `PidFile=${home}/pid`,
    'ReportPage=acng-report.html',
    'AllowUserPorts=0',
    'SupportDir=/usr/lib/apt-cacher-ng',
    'ExThreshold=4',
  ];
  const child = startProcess(scope, 'apt-cacher-ng', settings, {}, 3000);
  await until(async () => (await httpStatus(`http://127.0.0.1:${port}/acng-report.html`)) > 0, 10_000, 'apt-cacher-ng');
  return child;
}

export async function aptCacherNgVersion(scope: Scope): Promise<string> {
  return (await run(scope, 'dpkg-query', ['-W', '-f', '${Version}', 'apt-cacher-ng'])).stdout.trim();
}
