/** Keeps what is taken within the cache's quota and the disk. Nothing is evicted for it: that is the daemon's to do. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type { Layout } from '../../actors/store/layout.ts';
import { freeOn } from '../../actors/store/room.ts';

/** Bytes of the file system that are left to others, as the store leaves them. */
const DISK_MARGIN = 1024 * 1024;

export class Room {
  readonly #layout: Layout;
  readonly #limit: number;
  #bytes: number;

  /** `limit` in bytes, 0 for none; what is in the cache by now counts. */
  constructor(layout: Layout, limit: number) {
    this.#layout = layout;
    this.#limit = limit;
    this.#bytes = limit > 0 ? bytesIn(layout) : 0;
  }

  /** False when the quota has no room for so many bytes more. */
  reserve(bytes: number): boolean {
    if (this.#limit > 0 && this.#bytes + bytes > this.#limit) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  onDisk(bytes: number): boolean {
    return freeOn(this.#layout.root).freeBytes >= bytes + DISK_MARGIN;
  }
}

function bytesIn(layout: Layout): number {
  let bytes = 0;
  for (const directory of list(layout.files)) {
    for (const name of list(join(layout.files, directory))) {
      bytes += statSync(join(layout.files, directory, name), { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return bytes;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
