/**
 * Partial files and the notes of which of their ranges are written. After a crash a note may lag behind the file,
 * never the other way round as far as the page cache goes; after a power loss the whole-file hash decides. What is
 * done to one file is done in the order in which it was asked for.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { SMALL_FILE_BYTES } from '../../core/job-size.ts';
import { RangeSet } from '../../core/range-set.ts';
import { parseSha256, type TransferKey } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import { replaceFile } from '../replace-file.ts';
import type { InOrder } from './in-order.ts';
import type { Layout } from './layout.ts';
import type { PartialFile } from './protocol.ts';
import { isBeingSeeded } from './seeded.ts';
import { Sizes } from './sizes.ts';

/** Partial files of interrupted transfers are kept this long, and at most this many. */
const KEEP_MS = 7 * 24 * 3_600_000;
const KEEP_FILES = 1024;
const BLOCK_BYTES = 512;

type Ranges = readonly (readonly [number, number])[];

export interface PartialsDeps {
  readonly layout: Layout;
  readonly log: Logger;
  readonly inOrder: InOrder;
}

export class Partials {
  readonly #deps: PartialsDeps;
  /** Bytes that each active transfer may still write or has written, by path. */
  readonly #reserved = new Sizes();
  /** Those of them that have room on the disk and are not whole. */
  readonly #granted = new Set<string>();
  /** Files of interrupted transfers with the bytes that they take, by path, longest interrupted first. */
  readonly #parked = new Sizes();
  /** Paths of partial files that have a note: most files never get one, and need not be looked up. */
  readonly #noted = new Set<string>();
  /** Paths of partial files without a note that were left by a daemon that was killed: they may be whole. */
  readonly #leftovers = new Set<string>();

  constructor(deps: PartialsDeps) {
    this.#deps = deps;
  }

  get reservedBytes(): number {
    return this.#reserved.bytes;
  }

  /** Bytes that have room on the disk and do not take any yet. */
  get pendingBytes(): number {
    let bytes = 0;
    for (const path of this.#granted) bytes += Math.max(0, (this.#reserved.get(path) ?? 0) - bytesOnDisk(path));
    return bytes;
  }

  /** Bytes of files that nobody works on. */
  get parkedBytes(): number {
    return this.#parked.bytes;
  }

  /**
   * Opens the file of a transfer once `makeRoom` has resolved, which says when it has `granted` it; the transfer's bytes
   * count as reserved from the moment before that until it is forgotten, discarded or parked.
   */
  open(
    key: TransferKey,
    size: number,
    resume: boolean,
    makeRoom: (granted: () => void) => Promise<void>,
  ): Promise<PartialFile> {
    return this.#inOrder(key, async (path) => {
      const parked = this.#parked.get(path);
      this.#parked.delete(path);
      this.#forget(path);
      this.#reserved.set(path, size);
      try {
        await makeRoom(() => this.#granted.add(path));
        return await this.#open(path, size, resume);
      } catch (error) {
        this.#forget(path);
        // It is there as before, to make room for others.
        if (parked !== undefined) this.#parked.set(path, parked);
        throw error;
      }
    });
  }

  /** The size of an open file has become known: its bytes count from now on, and `makeRoom` is asked as in `open`. */
  grow(key: TransferKey, size: number, makeRoom: (granted: () => void) => Promise<void>): Promise<void> {
    return this.#inOrder(key, async (path) => {
      if (!this.#reserved.has(path)) return;
      this.#granted.delete(path);
      this.#reserved.set(path, size);
      await makeRoom(() => this.#granted.add(path));
    });
  }

  checkpoint(key: TransferKey, ranges: Ranges): Promise<void> {
    return this.#inOrder(key, async (path) => {
      if (this.#reserved.has(path)) await this.#writeNote(path, ranges);
    });
  }

  /** The transfer stops here and may be resumed. */
  async park(key: TransferKey, ranges: Ranges): Promise<void> {
    this.#release(key);
    await this.#inOrder(key, async (path) => {
      this.#forget(path);
      // Before the note, which a full disk has no room for: just then this file has to make room for others.
      this.#parked.set(path, RangeSet.from(ranges).bytes);
      await this.#writeNote(path, ranges);
    });
    while (this.#parked.count > KEEP_FILES) await this.dropOldest();
  }

  /** Hands the file over to `take`; it is no partial file any more if that succeeds. */
  take<T>(key: TransferKey, take: (path: string) => Promise<T>): Promise<T> {
    return this.#inOrder(key, async (path) => {
      // It is whole, and waits for others to be flushed.
      this.#granted.delete(path);
      const result = await take(path);
      this.#forget(path);
      await this.#removeNote(path);
      return result;
    });
  }

  discard(key: TransferKey): Promise<void> {
    this.#release(key);
    return this.#inOrder(key, async (path) => {
      this.#forget(path);
      await this.#remove(path);
    });
  }

  /**
   * Removes the file that was interrupted longest ago; false when there is none. May be called while one is opened:
   * it waits only for files whose opening began later, so that nobody waits in a circle.
   */
  async dropOldest(): Promise<boolean> {
    const path = this.#parked.oldest;
    if (path === undefined) return false;
    this.#parked.delete(path);
    await this.#deps.inOrder.run(path, async () => {
      // A transfer that came meanwhile has it.
      if (!this.#reserved.has(path)) await this.#remove(path);
    });
    return true;
  }

  /** Removes what cannot be resumed or is too old. */
  async recover(): Promise<void> {
    const { layout, log } = this.#deps;
    const names = new Set(await readdir(layout.partials));
    const resumable: { path: string; modified: number; bytes: number }[] = [];
    for (const name of names) {
      if (name.endsWith('.json') && names.has(name.slice(0, -'.json'.length))) continue;
      if (isBeingSeeded(name) === true) continue;
      const path = join(layout.partials, name);
      const stats = await stat(path).catch(() => undefined);
      const resumes = names.has(`${name}.json`) || (parseSha256(name) !== undefined && stats?.size !== 0);
      if (stats?.isFile() === true && resumes) {
        // A finished one has its mirror's date before it is flushed: when it was changed says how old it is.
        const modified = Math.max(stats.mtimeMs, stats.ctimeMs);
        resumable.push({ path, modified, bytes: stats.blocks * BLOCK_BYTES });
      } else {
        await rm(path, { force: true, recursive: true });
      }
    }
    resumable.sort((a, b) => a.modified - b.modified);
    const kept = resumable.slice(-KEEP_FILES).filter(({ modified }) => modified >= Date.now() - KEEP_MS);
    for (const { path, bytes } of kept) this.#parked.set(path, bytes);
    for (const { path } of resumable) {
      (names.has(`${basename(path)}.json`) ? this.#noted : this.#leftovers).add(path);
      if (!this.#parked.has(path)) await this.#remove(path);
    }
    if (kept.length > 0) log.debug({ partials: kept.length }, 'partial files can be resumed');
  }

  /** At once, for others that need the room; once more in order, after an opening that is still under way. */
  #release(key: TransferKey): void {
    this.#forget(this.#deps.layout.partial(key));
  }

  #forget(path: string): void {
    this.#reserved.delete(path);
    this.#granted.delete(path);
  }

  #inOrder<T>(key: TransferKey, work: (path: string) => Promise<T>): Promise<T> {
    const path = this.#deps.layout.partial(key);
    return this.#deps.inOrder.run(path, () => work(path));
  }

  async #open(path: string, size: number, resume: boolean): Promise<PartialFile> {
    let ranges = resume ? await this.#left(path, size) : new RangeSet();
    const left = this.#leftovers.delete(path) || this.#noted.has(path);
    // The first write of a small file makes it; most files are small, and making one is dear.
    if (!left && size > 0 && size <= SMALL_FILE_BYTES) return { path, ranges: [] };
    const fd = openSync(path, ranges.bytes > 0 ? 'a' : 'w', 0o600);
    try {
      const written = ranges.bytes > 0 ? fstatSync(fd).size : 0;
      if (ranges.ranges.some(({ end }) => end > written || (size > 0 && end > size))) {
        ranges = new RangeSet();
        ftruncateSync(fd, 0);
      }
    } finally {
      closeSync(fd);
    }
    // A note of bytes that are not there any more must not be found after a crash.
    if (ranges.bytes === 0) await this.#removeNote(path);
    return { path, ranges: ranges.toJSON() };
  }

  async #writeNote(path: string, ranges: Ranges): Promise<void> {
    this.#noted.add(path);
    await replaceFile(`${path}.json`, JSON.stringify(ranges));
  }

  /**
   * What is left of an earlier transfer. Small files get no note: one that has its full length is most likely a file
   * that was checked and not flushed yet, so its hash decides.
   */
  async #left(path: string, size: number): Promise<RangeSet> {
    if (this.#noted.has(path)) return this.#readNote(path);
    const ranges = new RangeSet();
    if (!this.#leftovers.has(path) || size === 0) return ranges;
    const stats = await stat(path).catch(() => undefined);
    if (stats?.size === size) ranges.add(0, size);
    return ranges;
  }

  async #remove(path: string): Promise<void> {
    this.#leftovers.delete(path);
    await this.#removeNote(path);
    await rm(path, { force: true });
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

function bytesOnDisk(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK_BYTES;
}
