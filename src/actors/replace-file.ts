/**
 * Replaces a small file as a whole: whoever reads it, also after a daemon was killed meanwhile, finds what was there
 * before or what is there now. One that is not `flushed` may be damaged by a power cut, so its reader has to bear that.
 */
import { rename, rm, writeFile } from 'node:fs/promises';

/** Ends the name under which a file is written before it has its own: what a killed daemon was writing. */
export const UNFINISHED = '.tmp';

/** Rejects with what the file system says; nothing is left of the new one then, of which a full disk makes an empty one. */
export async function replaceFile(path: string, data: string | Buffer, { flushed = false } = {}): Promise<void> {
  const aside = path + UNFINISHED;
  try {
    await writeFile(aside, data, { mode: 0o600, flush: flushed });
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
}
