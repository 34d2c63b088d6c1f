/**
 * Large files that were sent lately: for some seconds they are sent again without asking the transfers, who ask the
 * store. It has checked them, and keeps what has just been used; that the file is still the same one its inode says.
 */
import type { Sha256 } from '../core/ids.ts';
import { LruMap } from '../core/swarm/lru-map.ts';
import type { WholeFile } from '../actors/transfers/protocol.ts';

/** Milliseconds; much less than what the store keeps used files for at any rate. */
const KNOWN_MS = 5000;
const MAX_FILES = 1024;

interface Recent {
  readonly file: WholeFile;
  readonly identity: string;
  readonly until: number;
}

export class RecentFiles {
  readonly #files = new LruMap<Sha256, Recent>({ entries: MAX_FILES });

  get(sha256: Sha256 | undefined, now: number): Recent | undefined {
    if (sha256 === undefined) return undefined;
    const recent = this.#files.get(sha256);
    if (recent === undefined || now < recent.until) return recent;
    this.#files.delete(sha256);
    return undefined;
  }

  forget(sha256: Sha256): void {
    this.#files.delete(sha256);
  }

  /** @param identity of the file that the store has just said to be right, as ReadableFile has it. */
  sent(file: WholeFile, identity: string, now: number): void {
    this.#files.set(file.sha256, { file: { ...file, source: 'cache' }, identity, until: now + KNOWN_MS });
  }
}
