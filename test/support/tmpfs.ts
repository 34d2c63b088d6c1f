/** Small or odd file systems of their own, for tests of what happens when a disk is full or keeps no permissions. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** False where mounting is permitted; else why a test that needs it is skipped. */
export function skipWithoutMount(): string | false {
  return mounts('mount -t tmpfs -o size=1M tmpfs') ? false : 'mounting is not permitted here';
}

/** The same for bindfs, which shows a directory as a file system with permissions of its own. */
export function skipWithoutBindfs(): string | false {
  return mounts('bindfs below') ? false : 'no bindfs here, or mounting with FUSE is not permitted';
}

/** @param command of the shell; `below` is an empty directory, and where to mount follows */
function mounts(command: string): boolean {
  const probe = mkdtempSync(join(tmpdir(), 'dt-probe-'));
  try {
    // never removed with what is in it: that might be mounted still
    const steps = ['mkdir below disk', `${command} disk`, 'umount disk', 'rmdir below disk', `rmdir ${probe}`];
    execFileSync('sh', ['-c', steps.join(' && ')], { cwd: probe, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
