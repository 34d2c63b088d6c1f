/**
 * Virtual machines give free memory back to their host, and touching it again then costs ten times as much (measured:
 * 0.35 GB/s into new pages of the page cache, 3.5 GB/s into pages freed a moment ago). A proxy with a cache writes
 * every byte once more than plain apt does, so who ran before whom would decide the ratio. Each turn therefore begins
 * with enough memory that has just been touched.
 */
import { open, rm } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';

const BLOCK_BYTES = 4 * 1024 * 1024;

/** Touches about that many bytes of free memory, at most half of what is free, and frees them again. */
export async function touchMemory(directory: string, bytes: number): Promise<void> {
  const path = join(directory, 'touched-memory');
  const block = Buffer.alloc(BLOCK_BYTES);
  const file = await open(path, 'w');
  try {
    for (let done = 0; done < Math.min(bytes, freemem() / 2); done += BLOCK_BYTES) await file.write(block);
  } finally {
    await file.close();
    await rm(path);
  }
}
