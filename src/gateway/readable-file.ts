/**
 * A file of the store that is being sent. What is in the page cache is opened and read in this thread: that takes less
 * time than to wake another one for it. When the disk had to be waited for, the I/O threads do it for a while.
 */
import { closeSync, fstat, fstatSync, open, openSync, read, readSync, type Stats } from 'node:fs';
import { promisify } from 'node:util';

import { storeError } from '../core/errors.ts';
import { InPlace } from '../core/in-place.ts';

/** For 256 KiB at most. */
const WAITED_MS = 5;
const disk = new InPlace(WAITED_MS);
const later = { open: promisify(open), fstat: promisify(fstat), read: promisify(read) };

export class ReadableFile {
  readonly #fd: number;
  /** Bytes, when it was opened. */
  readonly size: number;
  /** Another one when the file has been changed, moved or replaced. */
  readonly identity: string;

  private constructor(fd: number, { dev, ino, size, mtimeMs, ctimeMs }: Stats) {
    this.#fd = fd;
    this.size = size;
    this.identity = `${dev} ${ino} ${mtimeMs} ${ctimeMs}`;
  }

  /** Undefined when there is none that can be read. */
  static async open(path: string): Promise<ReadableFile | undefined> {
    const began = performance.now();
    const inPlace = disk.allows(began);
    let fd: number | undefined;
    try {
      fd = inPlace ? openSync(path, 'r') : await later.open(path, 'r');
      const stats = inPlace ? fstatSync(fd) : await later.fstat(fd);
      if (inPlace) disk.took(began, performance.now());
      return new ReadableFile(fd, stats);
    } catch {
      if (fd !== undefined) closeQuietly(fd);
      return undefined;
    }
  }

  /** How many bytes could be read: 0 at the end of the file. Rejects with STORE_IO when the disk cannot read them. */
  async read(buffer: Buffer, length: number, position: number): Promise<number> {
    const began = performance.now();
    try {
      if (disk.allows(began)) {
        const bytesRead = readSync(this.#fd, buffer, 0, length, position);
        disk.took(began, performance.now());
        return bytesRead;
      }
      return (await later.read(this.#fd, buffer, 0, length, position)).bytesRead;
    } catch (error) {
      throw storeError(error);
    }
  }

  close(): void {
    closeQuietly(this.#fd);
  }
}

/** What has been read was right; file systems of FUSE and of the network may say no more than that they are gone. */
function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // the descriptor is free all the same
  }
}
