/** Several buffers into one place of a file, whole: the system may write less than it was given. */
import { writev, writevSync } from 'node:fs';
import { promisify } from 'node:util';

const writeInThread = promisify(writev);

/** By an I/O thread. Rejects as `fs` does. */
export async function writeAll(fd: number, chunks: readonly Buffer[], position: number): Promise<void> {
  for (let rest = chunks, at = position; rest.length > 0;) {
    const { bytesWritten } = await writeInThread(fd, rest, at);
    at += bytesWritten;
    rest = after(rest, bytesWritten);
  }
}

/** In this thread. Throws as `fs` does. */
export function writeAllNow(fd: number, chunks: readonly Buffer[], position: number): void {
  for (let rest = chunks, at = position; rest.length > 0;) {
    const written = writevSync(fd, rest, at);
    at += written;
    rest = after(rest, written);
  }
}

/** What a write has left. It does so when the disk is nearly full: the next one says why. */
function after(chunks: readonly Buffer[], written: number): readonly Buffer[] {
  let left = written;
  let whole = 0;
  while (whole < chunks.length && left >= (chunks[whole] as Buffer).length) left -= (chunks[whole++] as Buffer).length;
  const [first, ...others] = chunks.slice(whole);
  return first === undefined || left === 0 ? chunks.slice(whole) : [first.subarray(left), ...others];
}
