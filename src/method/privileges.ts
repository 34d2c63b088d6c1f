/**
 * Gives up the rights of root before anything is opened or connected to, for those of APT::Sandbox::User, as APT's own
 * methods do (DropPrivileges in its fileutl.cc). bin/apt-method-as-user has done that already unless the files of the
 * program are out of that user's reach. A Node whose libuv may use io_uring refuses (CVE-2024-22017), such as Debian 13's.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Does nothing for who is not root. @throws Error when the rights cannot be given up, or not for good. */
export function dropPrivileges(user: string): void {
  if (process.getuid?.() !== 0) return;
  const account = accountOf(user);
  if (account === undefined) throw new Error(`no user ${user}, cannot drop rights`);
  const { uid, gid } = account;
  try {
    process.setgroups?.([gid]);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_INVALID_STATE') throw error;
    const message = `${process.execPath} cannot become user ${user}, who may not read DebTorrent's files or start it`;
    throw new Error(message, { cause: error });
  }
  const others = process.getgroups?.().some((group) => group !== gid) ?? true;
  const ids = [process.getuid(), process.geteuid?.(), process.getgid?.(), process.getegid?.()];
  if (others || ids.join() !== [uid, uid, gid, gid].join()) throw new Error(`could not switch to user ${user}`);
  if (uid !== 0 && canRegain()) throw new Error('the rights of root could be taken back');
}

function canRegain(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

/** From passwd(5), or from whatever else getent asks. */
function accountOf(user: string): Account | undefined {
  if (!/^[\w][\w.-]*$/.test(user)) return undefined;
  const find = (text: string): Account | undefined => {
    const fields = text
      .split('\n')
      .map((line) => line.split(':'))
      .find(([name]) => name === user);
    const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
    return Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined;
  };
  return (
    find(readFileSync('/etc/passwd', 'utf8')) ??
    find(spawnSync('getent', ['passwd', user], { encoding: 'utf8', timeout: 5000 }).stdout ?? '')
  );
}
