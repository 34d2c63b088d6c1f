/** What targets that come from Debian packages have in common. */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { type Scope, run } from '../../support/scope.ts';

/** Where Debian keeps servers; not on everybody's PATH. */
const DIRECTORIES = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'];

/** The path of a program, or undefined where it is not installed. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of [...(process.env['PATH'] ?? '').split(':'), ...DIRECTORIES]) {
    const path = join(directory, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

/** Why a target cannot run here. */
export async function missing(...programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs)
    if ((await findProgram(program)) === undefined) return `no ${program} on this machine`;
  return undefined;
}

/** Version of the package that a program is from. */
export async function packageVersion(scope: Scope, program: string): Promise<string> {
  const path = (await findProgram(program)) ?? program;
  try {
    const owner = (await run(scope, 'dpkg-query', ['-S', path])).stdout.split(':')[0] ?? program;
    return (await run(scope, 'dpkg-query', ['-W', '-f', '${Package} ${Version}', owner])).stdout.trim();
  } catch {
    return 'unknown';
  }
}

/** A user's number and group, or undefined where it would change nothing: not root, or no such user. */
export async function otherUser(scope: Scope, name: string): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const ids = await Promise.all(['-u', '-g'].map((flag) => run(scope, 'id', [flag, name]).catch(() => undefined)));
  const [uid, gid] = ids.map((one) => Number(one?.stdout ?? Number.NaN));
  return uid === undefined || gid === undefined || Number.isNaN(uid + gid) ? undefined : { uid, gid };
}
