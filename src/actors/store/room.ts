/**
 * Room for what comes: the quota, and the disk. What was interrupted goes before what is finished, and of that what was
 * used least recently.
 */
import { rm, statfs } from 'node:fs/promises';

import type { Clock } from '../../core/clock.ts';
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
  readonly clock: Clock;
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

export class Room {
  readonly #deps: RoomDeps;
  #disk = { checkedAt: 0, freeBytes: 0 };
  #keeping: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: RoomDeps) {
    this.#deps = deps;
  }

  /**
   * For `size` bytes, which are among the reserved ones already. A cache that is far over its quota, which may have been
   * made smaller, gets no larger by them, and gets smaller meanwhile: nobody waits for thousands of files to go.
   * @throws DebtorrentError STORE_FULL
   */
  async make(size: number): Promise<void> {
    const { partials, limitBytes } = this.#deps;
    if (limitBytes > 0) {
      const reserved = partials.reservedBytes;
      if (reserved > limitBytes) throw new DebtorrentError('STORE_FULL', `cache-size has no room for ${size} bytes`);
      const over = this.#bytes - (limitBytes - reserved);
      await this.#evict(this.#bytes - Math.min(over, size));
      void this.keep();
    }
    await this.makeOnDisk(size);
  }

  /**
   * The disk's part of it, for who writes beside the store.
   * @throws DebtorrentError STORE_FULL
   */
  async makeOnDisk(size: number): Promise<void> {
    const wanted = size + DISK_MARGIN;
    if ((await this.#freeBytes()) < wanted) {
      this.#disk.checkedAt = 0;
      await this.#evict(this.#bytes - (wanted - (await this.#freeBytes())));
      this.#disk.checkedAt = 0;
      if ((await this.#freeBytes()) < wanted) throw new DebtorrentError('STORE_FULL', `no room for ${size} bytes`);
    }
    // Until the next look, what is promised is taken.
    this.#disk.freeBytes -= size;
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

  /** Removes files until at most so many bytes are left. */
  async #evict(toBytes: number): Promise<void> {
    const { files, partials, layout, inOrder, log, evicted } = this.#deps;
    while (this.#bytes > toBytes && (await partials.dropOldest()));
    const pinned = (entry: FileEntry) => this.#pinned(entry);
    for (const sha256 of files.evictable(Math.max(toBytes, 0), pinned)) {
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

  /** Used lately. A time to come is of a clock that has been set back since. */
  #pinned({ usedAt }: FileEntry): boolean {
    const ago = this.#deps.clock.now() - usedAt;
    return ago >= 0 && ago <= PIN_MS;
  }

  async #freeBytes(): Promise<number> {
    const { clock, layout } = this.#deps;
    if (Math.abs(clock.now() - this.#disk.checkedAt) > DISK_CHECK_MS) {
      const { bavail, bsize } = await statfs(layout.root);
      this.#disk = { checkedAt: clock.now(), freeBytes: bavail * bsize };
    }
    return this.#disk.freeBytes;
  }
}
