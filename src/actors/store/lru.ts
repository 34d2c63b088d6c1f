/** Finished files in order of use, with their sizes: what the quota evicts first comes first. Pure. */
import type { Sha256 } from '../../core/ids.ts';

export interface FileEntry {
  readonly size: number;
  /** Milliseconds since the epoch. */
  usedAt: number;
  /** `ino:size:mtime:ctime` at the time the hash was last checked; undefined when it has not been. */
  fingerprint: string | undefined;
  /** When that was, in milliseconds since the epoch; 0 when nobody knows. */
  checkedAt: number;
}

export class LeastRecentlyUsed {
  /** Invariant: in order of use, least recent first; `#bytes` is the sum of all sizes. */
  readonly #entries = new Map<Sha256, FileEntry>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get files(): number {
    return this.#entries.size;
  }

  get(sha256: Sha256): FileEntry | undefined {
    return this.#entries.get(sha256);
  }

  /** Adds an entry, or replaces it, as the most recently used. */
  put(sha256: Sha256, entry: FileEntry): void {
    this.delete(sha256);
    this.#entries.set(sha256, entry);
    this.#bytes += entry.size;
  }

  use(sha256: Sha256, date: number): FileEntry | undefined {
    const entry = this.#entries.get(sha256);
    if (entry === undefined) return undefined;
    this.#entries.delete(sha256);
    entry.usedAt = date;
    this.#entries.set(sha256, entry);
    return entry;
  }

  delete(sha256: Sha256): void {
    const entry = this.#entries.get(sha256);
    if (entry === undefined) return;
    this.#entries.delete(sha256);
    this.#bytes -= entry.size;
  }

  /**
   * The files to remove so that at most `limit` bytes stay, and `atLeast` so many, least recently used first. Those that
   * `pinned` says stay whatever the limit says: a client or a transfer is likely still reading them.
   */
  evictable(limit: number, pinned: (entry: FileEntry) => boolean, atLeast = 0): Sha256[] {
    const chosen: Sha256[] = [];
    let bytes = this.#bytes;
    for (const [sha256, entry] of this.#entries) {
      if ((bytes <= limit && chosen.length >= atLeast) || pinned(entry)) break;
      chosen.push(sha256);
      bytes -= entry.size;
    }
    return chosen;
  }

  *[Symbol.iterator](): IterableIterator<[Sha256, FileEntry]> {
    yield* this.#entries;
  }
}
