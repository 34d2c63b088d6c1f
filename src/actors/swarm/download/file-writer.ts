/**
 * Writes blocks into one partial file as they come, in any order. While writes are under way blocks that follow each
 * other are gathered into one. Nothing is written twice at once to one place: whoever pushes a range again waits for
 * `settled` first.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { DebtorrentError } from '../../../core/errors.ts';
import { SMALL_FILE_BYTES } from '../../../core/job-size.ts';
import type { MemoryBudget } from './memory-budget.ts';

export interface FileWriterOptions {
  readonly path: string;
  readonly size: number;
  readonly budget: MemoryBudget;
  wrote(start: number, end: number): void;
  /** Nothing is written after this. */
  failed(error: DebtorrentError): void;
}

/** Blocks that follow each other, and where they go. */
interface Run {
  readonly start: number;
  readonly chunks: Buffer[];
  bytes: number;
}

const MAX_RUN_BYTES = 1024 * 1024;
/** Writes to one file at once. */
const MAX_WRITES = 2;
const FLAGS = constants.O_RDWR | constants.O_CREAT;
const MODE = 0o600;

export class FileWriter {
  readonly #options: FileWriterOptions;
  #queue: Run[] = [];
  /** Being written. */
  readonly #writing = new Set<Run>();
  #handle: Promise<FileHandle> | undefined;
  #error: DebtorrentError | undefined;
  #waiting: { readonly start: number; readonly end: number; readonly resolve: () => void }[] = [];

  constructor(options: FileWriterOptions) {
    this.#options = options;
  }

  /** Takes bytes that count in the budget already; they leave it when they are written. */
  push(start: number, data: Buffer): void {
    const { size, budget } = this.#options;
    if (this.#error !== undefined) {
      budget.release(data.length);
    } else if (size <= SMALL_FILE_BYTES) {
      // Into the page cache that takes less time than handing it to another thread, and nothing has to be copied.
      this.#writeNow(start, data);
    } else {
      const chunk = budget.copy(data);
      const run = this.#queue.find((each) => each.start + each.bytes === start && each.bytes < MAX_RUN_BYTES);
      if (run === undefined) {
        this.#queue.push({ start, chunks: [chunk], bytes: chunk.length });
      } else {
        run.chunks.push(chunk);
        run.bytes += chunk.length;
      }
      this.#kick();
    }
  }

  /** Resolves when nothing of a range is being written or waits for it. */
  async settled(start = 0, end = Infinity): Promise<void> {
    if (this.#busy(start, end)) await new Promise<void>((resolve) => this.#waiting.push({ start, end, resolve }));
  }

  async close(): Promise<void> {
    await this.settled();
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.then((file) => file.close()).catch(() => undefined);
  }

  #kick(): void {
    while (this.#writing.size < MAX_WRITES) {
      const run = this.#queue.shift();
      if (run === undefined) return;
      this.#writing.add(run);
      void this.#write(run);
    }
  }

  #busy(start: number, end: number): boolean {
    const touches = (run: Run) => run.start < end && run.start + run.bytes > start;
    return this.#queue.some(touches) || [...this.#writing].some(touches);
  }

  async #write(run: Run): Promise<void> {
    const { start, chunks, bytes } = run;
    const { path, budget, wrote } = this.#options;
    try {
      this.#handle ??= open(path, FLAGS, MODE);
      const file = await this.#handle;
      if (this.#error === undefined) await writeAll(file, chunks, start);
    } catch (error) {
      this.#failed(error as Error);
    }
    for (const chunk of chunks) budget.recycle(chunk);
    budget.release(bytes);
    this.#writing.delete(run);
    if (this.#error === undefined) wrote(start, start + bytes);
    this.#kick();
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((each) => this.#busy(each.start, each.end));
    for (const each of waiting) if (!this.#waiting.includes(each)) each.resolve();
  }

  #writeNow(start: number, data: Buffer): void {
    const { path, budget, wrote } = this.#options;
    try {
      const fd = openSync(path, FLAGS, MODE);
      try {
        for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done, start + done);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      this.#failed(error as Error);
    }
    budget.release(data.length);
    if (this.#error === undefined) wrote(start, start + data.length);
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#error !== undefined) return;
    const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
    this.#error = new DebtorrentError(full ? 'STORE_FULL' : 'STORE_IO', error.message, { cause: error });
    for (const { bytes, chunks } of this.#queue.splice(0)) {
      for (const chunk of chunks) this.#options.budget.recycle(chunk);
      this.#options.budget.release(bytes);
    }
    this.#options.failed(this.#error);
  }
}

async function writeAll(file: FileHandle, chunks: readonly Buffer[], position: number): Promise<void> {
  let rest = [...chunks];
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at);
    at += bytesWritten;
    let left = bytesWritten;
    while (rest.length > 0 && left >= (rest[0] as Buffer).length) left -= (rest.shift() as Buffer).length;
    // A short write happens when the disk is nearly full: the next one says why.
    if (rest.length > 0) rest = [(rest[0] as Buffer).subarray(left), ...rest.slice(1)];
  }
}
