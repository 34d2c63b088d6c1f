/** Small file systems of their own, for tests of what happens when a disk is full. */
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** False where mounting is permitted; else why a test that needs it is skipped. */
export function skipWithoutMount(): string | false {
  const probe = join(tmpdir(), `dt-probe-${process.pid}`);
  try {
    execFileSync(
      'sh',
      ['-c', `mkdir -p ${probe} && mount -t tmpfs -o size=1M tmpfs ${probe} && umount ${probe} && rmdir ${probe}`],
      { stdio: 'ignore' },
    );
    return false;
  } catch {
    return 'mounting is not permitted here';
  }
}
