/**
 * Open files that are read for peers, the most recently used. Opening and looking at a file are done in this thread
 * (some 10 microseconds; handing that to the I/O threads costs more), and so is reading until it has to wait for the
 * disk.
 */
import { closeSync, fstatSync, openSync, readv as readWithCallback, readvSync, type Stats } from 'node:fs';
import { promisify } from 'node:util';

import type { Clock } from '../../../core/clock.ts';
import { DebtorrentError } from '../../../core/errors.ts';
import type { DoesInPlace } from '../../../core/in-place.ts';
import { MOVING_MS, type SharedFile } from './shared-file.ts';

const read = promisify(readWithCallback);

interface Handle {
  readonly fd: number;
  /** Opened under a name that lasts: neither size nor time of modification change any more. */
  readonly lasting: boolean;
  readonly modified: number;
  readonly openedAt: number;
  usedAt: number;
  /** Reads under way. */
  users: number;
  /** To be closed when the last read is done. */
  dropped: boolean;
}

/** Files open at once, those that are being read aside. */
const MAX_OPEN = 64;
/** One that nobody reads for this time is closed, in milliseconds: a removed file takes its room until then. */
const IDLE_MS = 10_000;

export class FileHandles {
  readonly #clock: Clock;
  /** In order of use, least recent first. */
  readonly #open = new Map<SharedFile, Handle>();
  readonly #inPlace: DoesInPlace;
  #reading = 0;
  #timer: { clear(): void } | undefined;
  #idle: (() => void) | undefined;

  constructor(clock: Clock, inPlace: DoesInPlace) {
    this.#clock = clock;
    this.#inPlace = inPlace;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Fills the buffers, 512 KiB at most, now or when the promise resolves. Throws or rejects with STORE_IO when the file
   * cannot be read, or is not as it was when it was opened.
   */
  read(file: SharedFile, start: number, buffers: readonly Buffer[]): Promise<void> | undefined {
    let handle: Handle | undefined;
    try {
      handle = this.#use(file);
      const began = this.#clock.now();
      if (!this.#inPlace.allows(began)) return this.#readInThread(file, handle, start, buffers);
      checkLength(file, start, buffers, readvSync(handle.fd, buffers, start));
      this.#inPlace.took(began, this.#clock.now());
      return undefined;
    } catch (error) {
      throw this.#failed(file, handle, error);
    }
  }

  async #readInThread(file: SharedFile, handle: Handle, start: number, buffers: readonly Buffer[]): Promise<void> {
    handle.users += 1;
    this.#reading += 1;
    try {
      const { bytesRead } = await read(handle.fd, buffers, start);
      checkLength(file, start, buffers, bytesRead);
    } catch (error) {
      throw this.#failed(file, handle, error);
    } finally {
      handle.users -= 1;
      if (handle.dropped && handle.users === 0) closeSync(handle.fd);
      this.#reading -= 1;
      if (this.#reading === 0) this.#idle?.();
    }
  }

  #failed(file: SharedFile, handle: Handle | undefined, error: unknown): DebtorrentError {
    if (handle !== undefined && this.#open.get(file) === handle) this.close(file);
    return new DebtorrentError('STORE_IO', (error as Error).message, { cause: error });
  }

  close(file: SharedFile): void {
    const handle = this.#open.get(file);
    if (handle === undefined) return;
    this.#open.delete(file);
    handle.dropped = true;
    if (handle.users === 0) closeSync(handle.fd);
  }

  /** Resolves when nothing is open any more. */
  closeAll(): Promise<void> {
    this.#timer?.clear();
    for (const file of [...this.#open.keys()]) this.close(file);
    return new Promise((resolve) => {
      if (this.#reading === 0) resolve();
      else this.#idle = resolve;
    });
  }

  #use(file: SharedFile): Handle {
    const known = this.#open.get(file);
    if (known !== undefined && this.#isCurrent(file, known)) {
      this.#open.delete(file);
      this.#open.set(file, known);
      known.usedAt = this.#clock.now();
      return known;
    }
    this.close(file);
    const opened = this.#openFile(file);
    this.#open.set(file, opened);
    for (const [oldest, { users }] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break;
      if (users === 0 && oldest !== file) this.close(oldest);
    }
    this.#timer ??= this.#clock.setTimeout(() => this.#closeIdle(), IDLE_MS);
    return opened;
  }

  #closeIdle(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [file, { users, usedAt }] of this.#open) if (users === 0 && now - usedAt >= IDLE_MS) this.close(file);
    if (this.#open.size > 0) this.#timer = this.#clock.setTimeout(() => this.#closeIdle(), IDLE_MS);
  }

  /** False when it has to be opened again under its lasting name. */
  #isCurrent(file: SharedFile, handle: Handle): boolean {
    if (!handle.lasting) return !file.isWhole || this.#clock.now() - handle.openedAt < MOVING_MS;
    const { size, mtimeMs } = fstatSync(handle.fd);
    if (size !== file.size || mtimeMs !== handle.modified) throw new Error('it has changed');
    return true;
  }

  #openFile(file: SharedFile): Handle {
    let failure: unknown;
    const now = this.#clock.now();
    for (const { path, lasting } of file.locations(now)) {
      let fd: number | undefined;
      let found: Stats;
      try {
        fd = openSync(path, 'r');
        found = fstatSync(fd);
      } catch (error) {
        if (fd !== undefined) closeSync(fd);
        failure ??= error;
        continue;
      }
      if (found.isFile() && (!file.isWhole || found.size === file.size)) {
        return {
          fd,
          lasting,
          modified: found.mtimeMs,
          openedAt: now,
          usedAt: now,
          users: 0,
          dropped: false,
        };
      }
      closeSync(fd);
      failure ??= new Error(`it has ${found.size} of ${file.size} bytes`);
    }
    throw failure;
  }
}

function checkLength(file: SharedFile, start: number, buffers: readonly Buffer[], read: number): void {
  const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  if (read !== length) throw new Error(`it ends at ${start + read} of ${file.size} bytes`);
}
