/** Small files of the store, read as a whole to be kept in memory. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import type { WholeFile } from '../actors/transfers/protocol.ts';

/** What was written a moment ago is in the page cache: reading it here is quicker than asking a thread to. */
export function readNow({ path, finalPath, size }: WholeFile): Buffer | undefined {
  for (const each of new Set([path, finalPath])) {
    try {
      const bytes = readFileSync(each);
      if (bytes.length === size) return bytes;
    } catch {
      // It may have moved to the other path.
    }
  }
  return undefined;
}

export async function readLater(path: string, size: number): Promise<Buffer | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes?.length === size ? bytes : undefined;
}
