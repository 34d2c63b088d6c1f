/**
 * Partial files and the notes of which of their ranges are written. After a crash a note may lag behind the file,
 * never the other way round as far as the page cache goes; after a power loss the whole-file hash decides.
 */
import { open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RangeSet } from '../../core/range-set.ts';
import { parseSha256, type TransferKey } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { Layout } from './layout.ts';
import type { PartialFile } from './protocol.ts';

/** Partial files of interrupted transfers are kept this long, and at most this many. */
const KEEP_MS = 7 * 24 * 3_600_000;
const KEEP_FILES = 1024;

export class Partials {
  readonly #layout: Layout;
  readonly #log: Logger;
  /** Bytes that each active transfer may still write or has written. */
  readonly #reserved = new Map<TransferKey, number>();
  /** Notes are replaced by rename, one at a time for each file; the newest waits while one is being written. */
  readonly #writing = new Map<TransferKey, Promise<void>>();
  /** Paths of partial files that have a note: most files never get one, and need not be looked up. */
  readonly #noted = new Set<string>();
  /** Paths of partial files without a note that were left by a daemon that was killed: they may be whole. */
  readonly #leftovers = new Set<string>();

  constructor(layout: Layout, log: Logger) {
    this.#layout = layout;
    this.#log = log;
  }

  get reservedBytes(): number {
    let sum = 0;
    for (const size of this.#reserved.values()) sum += size;
    return sum;
  }

  async open(key: TransferKey, size: number, resume: boolean): Promise<PartialFile> {
    const path = this.#layout.partial(key);
    const noted = this.#noted.has(path);
    let ranges = resume ? await this.#left(path, noted, size) : new RangeSet();
    const handle = await open(path, ranges.bytes > 0 ? 'a' : 'w', 0o600);
    try {
      const written = ranges.bytes > 0 ? (await handle.stat()).size : 0;
      if (ranges.ranges.some(({ end }) => end > written || (size > 0 && end > size))) {
        ranges = new RangeSet();
        await handle.truncate(0);
      }
    } finally {
      await handle.close();
    }
    if (noted && !resume) await this.#removeNote(path);
    this.#reserved.set(key, size);
    return { path, ranges: ranges.toJSON() };
  }

  async checkpoint(key: TransferKey, ranges: readonly (readonly [number, number])[]): Promise<void> {
    await this.#writing.get(key);
    if (!this.#reserved.has(key)) return;
    const path = this.#layout.partial(key);
    const note = `${path}.json`;
    this.#noted.add(path);
    const work = (async () => {
      await writeFile(`${note}.tmp`, JSON.stringify(ranges), { mode: 0o600 });
      await rename(`${note}.tmp`, note);
    })();
    this.#writing.set(
      key,
      work.catch(() => undefined),
    );
    try {
      await work;
    } finally {
      this.#writing.delete(key);
    }
  }

  /** The partial file has become a finished one. */
  async forget(key: TransferKey): Promise<void> {
    this.#reserved.delete(key);
    await this.#writing.get(key);
    await this.#removeNote(this.#layout.partial(key));
  }

  async discard(key: TransferKey): Promise<void> {
    await this.forget(key);
    await rm(this.#layout.partial(key), { force: true });
  }

  /** Ends the reservation of a transfer that stops here and may be resumed. */
  release(key: TransferKey): void {
    this.#reserved.delete(key);
  }

  /** Removes what cannot be resumed or is too old. */
  async recover(): Promise<void> {
    const names = await readdir(this.#layout.partials);
    const notes = new Set(names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5)));
    const resumable: { name: string; modified: number }[] = [];
    for (const name of names) {
      if (name.endsWith('.json') && names.includes(name.slice(0, -5))) continue;
      const path = join(this.#layout.partials, name);
      const stats = await stat(path).catch(() => undefined);
      if (stats !== undefined && (notes.has(name) || parseSha256(name) !== undefined))
        resumable.push({ name, modified: stats.mtimeMs });
      else await rm(path, { force: true, recursive: true });
    }
    const oldest = Date.now() - KEEP_MS;
    resumable.sort((a, b) => b.modified - a.modified);
    for (const [index, { name, modified }] of resumable.entries()) {
      if (index < KEEP_FILES && modified >= oldest) {
        (notes.has(name) ? this.#noted : this.#leftovers).add(join(this.#layout.partials, name));
        continue;
      }
      await rm(join(this.#layout.partials, name), { force: true });
      await rm(join(this.#layout.partials, `${name}.json`), { force: true });
    }
    if (resumable.length > 0) this.#log.debug({ partials: resumable.length }, 'partial files can be resumed');
  }

  /**
   * What is left of an earlier transfer. Small files get no note: one that has its full length is most likely a file
   * that was checked and not flushed yet, so its hash decides.
   */
  async #left(path: string, noted: boolean, size: number): Promise<RangeSet> {
    if (noted) return this.#readNote(path);
    const ranges = new RangeSet();
    if (!this.#leftovers.delete(path) || size === 0) return ranges;
    const stats = await stat(path).catch(() => undefined);
    if (stats?.size === size) ranges.add(0, size);
    return ranges;
  }

  async #removeNote(path: string): Promise<void> {
    if (this.#noted.delete(path)) await rm(`${path}.json`, { force: true });
  }

  async #readNote(path: string): Promise<RangeSet> {
    try {
      return RangeSet.from(JSON.parse(await readFile(`${path}.json`, 'utf8')));
    } catch {
      return new RangeSet();
    }
  }
}
