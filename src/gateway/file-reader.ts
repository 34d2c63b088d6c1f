/** Sends ranges of a file to a client, piece by piece, with buffers that are used again so that it makes no garbage. */
import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';

import type { ClientExchange } from './exchange.ts';
import type { ReadableFile } from './readable-file.ts';
import { SendShares } from './send-shares.ts';

/**
 * How much a heap grows before V8 looks for garbage in all of it, while many are served. Requests that wait for seconds
 * become old garbage: by its own measure V8 lets 500 clients with ten requests each have 80 MB more.
 */
const CROWD_HEAP_GROWS_PERCENT = 60;

/** Of this thread. */
export const shares = new SendShares((crowded) => {
  setFlagsFromString(`--heap-growing-percent=${crowded ? CROWD_HEAP_GROWS_PERCENT : 0}`);
});

/** Sends [start, end) of what is written already. Resolves to false when the client has gone or the file is too short. */
export function sendRange(client: ClientExchange, file: ReadableFile, start: number, end: number): Promise<boolean> {
  return eachPiece(file, start, end, {
    isFirst: () => client.bytes === 0,
    take: (bytes) => client.write(bytes),
  });
}

/** SHA-256 of [start, end), in hexadecimal digits; undefined when the file is too short. */
export async function hashRange(file: ReadableFile, start: number, end: number): Promise<string | undefined> {
  const hash = createHash('sha256');
  const take = (bytes: Buffer) => {
    hash.update(bytes);
    return true;
  };
  return (await eachPiece(file, start, end, { isFirst: () => false, take })) ? hash.digest('hex') : undefined;
}

interface Pieces {
  /** The next one is the first of its answer. */
  isFirst(): boolean;
  /** False when no more are wanted; the buffer is not used again then. */
  take(bytes: Buffer): boolean | Promise<boolean>;
}

/** Resolves to false when the file is too short, or no more are wanted. */
async function eachPiece(file: ReadableFile, start: number, end: number, { isFirst, take }: Pieces): Promise<boolean> {
  shares.begin();
  try {
    let position = start;
    while (position < end) {
      const wait = isFirst() ? shares.first() : shares.further();
      if (wait !== undefined) await wait;
      const buffer = shares.buffer();
      const length = Math.min(buffer.length, end - position);
      const bytesRead = await file.read(buffer, length, position);
      if (bytesRead === 0) return false;
      // a write to a client that went away may still refer to the buffer
      if (!(await take(buffer.subarray(0, bytesRead)))) return false;
      shares.free(buffer);
      position += bytesRead;
    }
    return true;
  } finally {
    shares.end();
  }
}
