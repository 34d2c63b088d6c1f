/** When a file was changed, to the nanosecond. */
import { spawnSync } from 'node:child_process';
import { futimesSync } from 'node:fs';

const NS = 1_000_000_000n;

/** Node's own call takes seconds as a double, which is exact only to some 200 ns. */
export function setModificationTime(fd: number, mtime: bigint): void {
  const seconds = mtime / NS;
  const rest = mtime % NS;
  if (rest >= 0n) {
    const date = `--date=@${seconds}.${rest.toString().padStart(9, '0')}`;
    const { status } = spawnSync('touch', ['-m', date, '/dev/fd/3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    if (status === 0) return;
  }
  const rounded = Number(mtime) / Number(NS);
  futimesSync(fd, rounded, rounded);
}
