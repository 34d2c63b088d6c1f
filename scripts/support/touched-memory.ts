/**
 * Virtual machines give free memory back to their host, and touching it again then costs ten times as much (measured:
 * 0.35 GB/s into new pages of the page cache, 3.5 GB/s into pages freed a moment ago). A proxy with a cache writes
 * every byte once more than plain apt does, so who ran before whom would decide the ratio. Each turn therefore begins
 * with enough memory that has just been touched.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';

/**
 * Sizes of writes as proxies and APT make them. Linux caches what comes in one write in blocks of memory as large as that,
 * and takes the smallest free block that is large enough: memory touched in larger ones is not what they are given.
 */
const WRITES = [512 * 1024, 64 * 1024, 4 * 1024];

/** Touches about that many bytes of free memory, at most half of what is free, for each size, and frees them again. */
export async function touchMemory(directory: string, bytes: number): Promise<void> {
  const most = Math.min(bytes, freemem() / 2 / WRITES.length);
  const path = join(directory, 'touched-memory');
  const file = openSync(path, 'w');
  try {
    for (const size of WRITES) {
      const block = Buffer.alloc(size);
      for (let done = 0; done < most; done += size) writeSync(file, block);
    }
  } finally {
    closeSync(file);
    await rm(path);
  }
}
