/** approx, which serves each connection with a process that a super-server starts: systemd's, as in Debian. */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { httpStatus, until } from '../../support/http-client.ts';
import { freeLowPort, startProcess } from '../../support/scope.ts';
import { routeTo } from '../client/route.ts';
import { findProgram, missing, otherUser, packageVersion } from './packaged.ts';
import type { Target } from './target.ts';

export const approx: Target = {
  name: 'approx',
  about: 'a process for each connection, started by systemd-socket-activate; Debian’s defaults',
  async unable() {
    const why = await missing('approx', 'systemd-socket-activate', 'curl');
    return why ?? (existsSync('/dev/log') ? undefined : 'approx ends at once where there is no system log');
  },
  version: (scope) => packageVersion(scope, 'approx'),
  async start(scope, { directory, mirror, archive }) {
    const home = join(directory, 'approx');
    await mkdir(join(home, 'cache'), { recursive: true });
    const user = await otherUser(scope, 'approx');
    if (user !== undefined) await chown(join(home, 'cache'), user.uid, user.gid);
    await chmod(home, 0o755);
    const who = user === undefined ? userInfo().username : 'approx';
    const configuration = join(home, 'approx.conf');
    const lines = [
      `${archive.base} http://${mirror}/${archive.base}`,
      `$cache ${home}/cache`,
      `$user ${who}`,
      `$group ${who}`,
    ];
    await writeFile(configuration, `${lines.join('\n')}\n`);
    const port = await freeLowPort();
    const program = (await findProgram('approx')) ?? 'approx';
    const args = ['--inetd', '-a', '-l', `127.0.0.1:${port}`, program, '-c', configuration];
    const child = startProcess(scope, 'systemd-socket-activate', args, {}, 3000);
    await until(async () => (await httpStatus(`http://127.0.0.1:${port}/`)) > 0, 10_000, 'approx');
    return {
      routes: [routeTo({ host: '127.0.0.1', port }, 'direct', mirror, archive.base)],
      pids: () => [child.pid ?? 0],
    };
  },
};
