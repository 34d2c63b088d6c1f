/**
 * Room for what comes: the quota, and the disk. What was interrupted goes before what is finished, and of that what was
 * used least recently.
 */
import { statfsSync } from 'node:fs';
import { rm } from 'node:fs/promises';

import { isRecent, type DatedClock } from '../../core/clock.ts';
import { DebtorrentError } from '../../core/errors.ts';
import type { Logger } from '../../core/logging.ts';
import type { InOrder } from './in-order.ts';
import type { Layout } from './layout.ts';
import type { FileEntry, LeastRecentlyUsed } from './lru.ts';
import type { Partials } from './partials.ts';

export interface RoomDeps {
  readonly layout: Layout;
  readonly files: LeastRecentlyUsed;
  readonly partials: Partials;
  readonly inOrder: InOrder;
  readonly clock: DatedClock;
  readonly log: Logger;
  /** Bytes; 0 is no limit. */
  readonly limitBytes: number;
  /** A finished file has been removed. */
  evicted(): void;
}

/** Files used within this time are not evicted: whoever was told their path may not have opened it yet. */
const PIN_MS = 60_000;
/** Bytes of the file system that are left to others. */
const DISK_MARGIN = 1024 * 1024;
const DISK_CHECK_MS = 1000;
/** A file system may have room for no more files though it has for bytes: so many are left to others. */
const FILES_MARGIN = 64;
/** So many go at once when there are fewer. */
const FILES_AT_ONCE = 64;

/** What the file system has free, and when that was looked at. */
interface Disk {
  readonly checkedAt: number;
  freeBytes: number;
  freeFiles: number;
}

export class Room {
  readonly #deps: RoomDeps;
  #disk: Disk = { checkedAt: Number.NEGATIVE_INFINITY, freeBytes: 0, freeFiles: 0 };
  /** What the file system says of the number of its files is true. */
  #countsFiles = true;
  #makingFiles: Promise<void> | undefined;
  #keeping: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: RoomDeps) {
    this.#deps = deps;
  }

  /**
   * For `size` bytes, which are among the reserved ones already. A cache that is far over its quota, which may have been
   * made smaller, gets no larger by them, and gets smaller meanwhile: nobody waits for thousands of files to go. When there
   * is room, `granted` is called before anybody else is given any.
   * @throws DebtorrentError STORE_FULL
   */
  async make(size: number, granted: () => void): Promise<void> {
    const { partials, limitBytes } = this.#deps;
    if (limitBytes > 0) {
      const reserved = partials.reservedBytes;
      if (reserved > limitBytes) throw new DebtorrentError('STORE_FULL', `cache-size has no room for ${size} bytes`);
      const over = this.#bytes - (limitBytes - reserved);
      await this.#evict(this.#bytes - Math.min(over, size));
      void this.keep();
    }
    await this.makeOnDisk(size, granted);
  }

  /**
   * The disk's part of it, for who writes beside the store.
   * @throws DebtorrentError STORE_FULL
   */
  async makeOnDisk(size: number, granted?: () => void): Promise<void> {
    const wanted = size + DISK_MARGIN;
    if (this.#free().freeFiles < FILES_MARGIN && this.#countsFiles) {
      await (this.#makingFiles ??= this.#makeFiles().finally(() => (this.#makingFiles = undefined)));
    }
    if (this.#free().freeBytes < wanted) {
      const missing = wanted - this.#look().freeBytes;
      // What will never fit is not worth the files that are there.
      if (missing <= this.#evictableBytes(missing)) await this.#evict(this.#bytes - missing);
      if (this.#look().freeBytes < wanted) throw new DebtorrentError('STORE_FULL', `no room for ${size} bytes`);
    }
    // Until the next look, what is promised is taken.
    this.#disk.freeBytes -= size;
    this.#disk.freeFiles -= 1;
    granted?.();
  }

  /** Removes some files for new ones. Where that gives no room the file system counts in a way of its own. */
  async #makeFiles(): Promise<void> {
    const { files } = this.#deps;
    const { freeFiles } = this.#look();
    if (freeFiles >= FILES_MARGIN) return;
    const before = files.files;
    await this.#evict(Number.POSITIVE_INFINITY, FILES_AT_ONCE);
    if (this.#look().freeFiles <= freeFiles && files.files < before) this.#countsFiles = false;
  }

  /** Brings the cache back to its quota, as far as it is not in use; never rejects. */
  keep(): Promise<void> {
    const { partials, limitBytes, log } = this.#deps;
    if (limitBytes === 0) return Promise.resolve();
    this.#keeping ??= this.#evict(limitBytes - partials.reservedBytes)
      .catch((error: unknown) => log.warn({ err: error }, 'evicting failed'))
      .finally(() => (this.#keeping = undefined));
    return this.#keeping;
  }

  /** Nothing is removed any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** That could be removed. */
  get #bytes(): number {
    return this.#deps.files.bytes + this.#deps.partials.parkedBytes;
  }

  /** What can go now, least recently used first, up to about `enough`. */
  #evictableBytes(enough: number): number {
    const { files, partials } = this.#deps;
    const first = files.evictable(this.#bytes - enough, (entry) => this.#pinned(entry));
    return first.reduce((bytes, sha256) => bytes + (files.get(sha256)?.size ?? 0), partials.parkedBytes);
  }

  /** Removes files until at most so many bytes are left, and so many of the finished ones have gone. */
  async #evict(toBytes: number, atLeast = 0): Promise<void> {
    const { files, partials, layout, inOrder, log, evicted } = this.#deps;
    while (this.#bytes > toBytes && (await partials.dropOldest()));
    const pinned = (entry: FileEntry) => this.#pinned(entry);
    for (const sha256 of files.evictable(Math.max(toBytes, 0), pinned, atLeast)) {
      const entry = files.get(sha256);
      // Somebody may have found it while the ones before it were removed.
      if (entry === undefined || pinned(entry)) continue;
      if (this.#stopped) return;
      log.debug({ sha256, size: entry.size }, 'evicted');
      files.delete(sha256);
      evicted();
      const path = layout.file(sha256);
      await inOrder.run(path, async () => {
        if (files.get(sha256) === undefined) await rm(path, { force: true });
      });
    }
  }

  #pinned({ usedAt }: FileEntry): boolean {
    return isRecent(usedAt, this.#deps.clock.date(), PIN_MS);
  }

  #free(): Disk {
    const late = this.#deps.clock.now() - this.#disk.checkedAt > DISK_CHECK_MS;
    return late ? this.#look() : this.#disk;
  }

  /** What others have been promised is not free, though they have not written it yet. */
  #look(): Disk {
    const { clock, layout, partials } = this.#deps;
    const { freeBytes, freeFiles } = freeOn(layout.root);
    this.#disk = { checkedAt: clock.now(), freeBytes: freeBytes - partials.pendingBytes, freeFiles };
    return this.#disk;
  }
}

/**
 * What the file system at `path` has free. Some make room as it is needed (of files; of bytes as well: a tmpfs without
 * a limit, ramfs, some of FUSE) and say that they have none at all.
 */
export function freeOn(path: string): Omit<Disk, 'checkedAt'> {
  const { blocks, bavail, bsize, files, ffree } = statfsSync(path);
  return {
    freeBytes: blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize,
    freeFiles: files === 0 ? Number.POSITIVE_INFINITY : ffree,
  };
}
