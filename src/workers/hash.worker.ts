/** The task that the hashing pool runs: SHA-256 of a file, read with one buffer. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

const BUFFER_BYTES = 1024 * 1024;
let buffer: Buffer | undefined;

export interface HashTask {
  readonly path: string;
  /** Bytes to hash from the beginning; a shorter file gives an error. */
  readonly size: number;
}

/** 64 hexadecimal digits. */
export function sha256OfFile({ path, size }: HashTask): string {
  buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  try {
    let position = 0;
    while (position < size) {
      const read = readSync(fd, buffer, 0, Math.min(buffer.length, size - position), position);
      if (read === 0) throw new Error(`${path} ends at ${position} of ${size} bytes`);
      hash.update(buffer.subarray(0, read));
      position += read;
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
