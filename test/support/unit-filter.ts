/**
 * The system call filter of a systemd unit, for programs that run without systemd: its lists are expanded by
 * `systemd-analyze syscall-filter` and loaded by libseccomp, as systemd does it, before the program starts.
 */
import { execFileSync } from 'node:child_process';
import { skipWithout } from './process.ts';

/** Debian's own: others may find another libseccomp, or none. */
const PYTHON = '/usr/bin/python3';

/**
 * argv: JSON of the calls that are allowed, of those that get EPERM and of those that kill, then the program. What neither list has is unknown to
 * systemd, and answered with ENOSYS. Names that this libseccomp or this machine does not know are left out, as by systemd.
 */
const LOAD = `
import ctypes, json, os, sys
KILL_PROCESS, ALLOW, EPERM, ENOSYS = 0x80000000, 0x7fff0000, 0x00050000 | 1, 0x00050000 | 38
lib = ctypes.CDLL('libseccomp.so.2')
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_init.argtypes = [ctypes.c_uint32]
lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
lib.seccomp_load.argtypes = [ctypes.c_void_p]
context = lib.seccomp_init(ENOSYS)
for action, names in zip((ALLOW, EPERM, KILL_PROCESS), json.loads(sys.argv[1])):
    for name in names:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and lib.seccomp_rule_add_array(context, action, number, 0, None) != 0:
            sys.exit('no rule for ' + name)
if lib.seccomp_load(context) != 0:
    sys.exit('the filter cannot be loaded')
os.execvp(sys.argv[2], sys.argv[2:])
`;

/**
 * The words to put before a program, which keep it, and what it starts, to the calls that the unit allows. For others it is
 * killed, whatever the unit says, so that none goes unnoticed, or gets EPERM.
 */
export function underFilterOf(unit: string, otherwise: 'kill' | 'EPERM' = 'kill'): [string, ...string[]] {
  const allowed = new Set<string>();
  for (const [, sign, items] of unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    if (allowed.size === 0) {
      if (sign !== '') throw new Error('the first list must be one of calls that are allowed');
      for (const name of expand('@default')) allowed.add(name);
    }
    for (const name of (items ?? '').split(' ').flatMap(expand)) {
      if (sign === '') allowed.add(name);
      else allowed.delete(name);
    }
  }
  const refused = expand('@known').filter((name) => !allowed.has(name));
  const lists = otherwise === 'kill' ? [[...allowed], [], refused] : [[...allowed], refused, []];
  return [PYTHON, '-c', LOAD, JSON.stringify(lists)];
}

/** The calls of a set such as `@process`, also of the sets in it; any other name is a call. */
function expand(item: string): string[] {
  if (!item.startsWith('@')) return [item];
  const lines = execFileSync('systemd-analyze', ['syscall-filter', item], { encoding: 'utf8' }).split('\n').slice(1);
  return lines.map((line) => line.trim()).flatMap((name) => (name === '' || name.startsWith('#') ? [] : expand(name)));
}

/** Why there can be no filter on this machine, or false. */
export function skipWithoutFilter(): string | false {
  const missing = skipWithout('systemd-analyze');
  if (missing !== false) return missing;
  try {
    const [command, ...args] = underFilterOf('SystemCallFilter=@known');
    execFileSync(command, [...args, 'true'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no system call filter on this machine: ${(error as Error).message.split('\n')[1] ?? ''}`;
  }
}
