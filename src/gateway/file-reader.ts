/** Sends ranges of a file to a client with one buffer, taken from a small pool so that transfers make no garbage. */
import type { FileHandle } from 'node:fs/promises';

import type { ClientExchange } from './exchange.ts';

const BUFFER_BYTES = 256 * 1024;
const MAX_POOLED = 16;
const pool: Buffer[] = [];

/** Sends [start, end) of what is written already. Resolves to false when the client has gone or the file is too short. */
export async function sendRange(
  client: ClientExchange,
  handle: FileHandle,
  start: number,
  end: number,
): Promise<boolean> {
  const buffer = pool.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  try {
    let position = start;
    while (position < end) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - position), position);
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
