/** SHA-256 of a small file in this thread: to hand it over would take longer. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

import type { Sha256 } from '../../core/ids.ts';

/** Of the first bytes. Throws as `fs` does, or when the file is shorter. */
export function hashNow(path: string, size: number): Sha256 {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(size);
    for (let position = 0; position < size;) {
      const read = readSync(fd, bytes, position, size - position, position);
      if (read === 0) throw new Error(`${path} ends at ${position} of ${size} bytes`);
      position += read;
    }
    return createHash('sha256').update(bytes).digest('hex') as Sha256;
  } finally {
    closeSync(fd);
  }
}
