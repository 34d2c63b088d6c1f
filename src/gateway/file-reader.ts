/** Sends ranges of a file to a client with one buffer, taken from a small pool so that transfers make no garbage. */
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

import type { ClientExchange } from './exchange.ts';

const BUFFER_BYTES = 256 * 1024;
const MAX_POOLED = 16;
const pool: Buffer[] = [];

/**
 * Sends [start, end) of what is written already. Resolves to false when the client has gone or the file is too short.
 * What is `resident`, written a moment ago and so in the page cache, is read in this thread: a copy of 256 KiB takes
 * less time than waking another thread for it.
 */
export async function sendRange(
  client: ClientExchange,
  handle: FileHandle,
  start: number,
  end: number,
  resident: boolean,
): Promise<boolean> {
  const buffer = pool.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  try {
    let position = start;
    while (position < end) {
      const length = Math.min(buffer.length, end - position);
      const bytesRead = resident
        ? readSync(handle.fd, buffer, 0, length, position)
        : (await handle.read(buffer, 0, length, position)).bytesRead;
      if (bytesRead === 0) return false;
      if (!(await client.write(buffer.subarray(0, bytesRead)))) return false;
      position += bytesRead;
    }
    return true;
  } finally {
    // A write to a client that went away may still refer to the buffer.
    if (!client.gone && pool.length < MAX_POOLED) pool.push(buffer);
  }
}
