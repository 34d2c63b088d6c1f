/**
 * squid as a proxy. Debian's default keeps nothing on disk and no file over 512 kB in memory, so it is set up as
 * squid-deb-proxy sets it up: a disk cache, large files, packages that never change; and one fetch for clients that
 * ask at the same time.
 */
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { httpStatus, until } from '../../support/http-client.ts';
import { freeLowPort, run, startProcess } from '../../support/scope.ts';
import { routeTo } from '../client/route.ts';
import { findProgram, missing, otherUser, packageVersion } from './packaged.ts';
import type { Target } from './target.ts';

const READY_MS = 20_000;

export const squid: Target = {
  name: 'squid',
  about: 'disk cache and large files as in squid-deb-proxy, collapsed_forwarding on, proxy form',
  unable: () => missing('squid'),
  version: (scope) => packageVersion(scope, 'squid'),
  async start(scope, { directory, mirror, archive }) {
    const home = join(directory, 'squid');
    await mkdir(join(home, 'cache'), { recursive: true });
    const user = await otherUser(scope, 'proxy');
    if (user !== undefined) for (const path of [home, join(home, 'cache')]) await chown(path, user.uid, user.gid);
    const port = await freeLowPort();
    const configuration = join(home, 'squid.conf');
    await writeFile(configuration, settings(home, port));
    const program = (await findProgram('squid')) ?? 'squid';
    await run(scope, program, ['-N', '-z', '-f', configuration]);
    const child = startProcess(scope, program, ['-N', '-f', configuration], {}, 5000);
    const address = `http://127.0.0.1:${port}`;
    await until(async () => (await httpStatus(`${address}/squid-internal-static/icons/SN.png`)) > 0, READY_MS, 'squid');
    return {
      routes: [routeTo({ host: '127.0.0.1', port }, 'proxy', mirror, archive.base)],
      pids: () => [child.pid ?? 0],
    };
  },
};

function settings(home: string, port: number): string {
  return [
    `http_port 127.0.0.1:${port}`,
    'http_access allow localhost',
    'http_access deny all',
    'visible_hostname loadtest',
    `pid_filename ${home}/squid.pid`,
    `cache_log ${home}/cache.log`,
    'access_log none',
    `coredump_dir ${home}`,
    'icp_port 0',
    'cache_mem 200 MB',
    'maximum_object_size_in_memory 10240 KB',
    'maximum_object_size 4 GB',
    `cache_dir aufs ${home}/cache 40000 16 256`,
    'collapsed_forwarding on',
    // what a client leaves is fetched to its end, as by the others
    'quick_abort_min -1 KB',
    'refresh_pattern deb$ 129600 100% 129600',
    'refresh_pattern by-hash 129600 100% 129600',
    'refresh_pattern (InRelease|Release|Packages(.gz|.xz)?)$ 0 20% 2880 refresh-ims',
    'refresh_pattern . 0 20% 4320',
    'shutdown_lifetime 1 seconds',
    'pinger_enable off',
    'max_filedescriptors 65536',
    '',
  ].join('\n');
}
