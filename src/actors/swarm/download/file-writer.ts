/**
 * Writes blocks into one partial file as they come, in any order. Blocks that follow each other and come in one turn of
 * the event loop, or while something is being written, are gathered into one write. Nothing is written twice at once to
 * one place: whoever pushes a range again waits for `settled` first.
 *
 * Writes are made in this thread as long as they need not wait for the disk: so the bytes are still in the processor's
 * cache, few buffers are needed, and no hand-overs, which cost as much as the writes.
 */
import { closeSync, constants, fdatasync, openSync } from 'node:fs';

import type { Clock } from '../../../core/clock.ts';
import { storeError, type DebtorrentError } from '../../../core/errors.ts';
import type { DoesInPlace } from '../../../core/in-place.ts';
import { SMALL_FILE_BYTES } from '../../../core/job-size.ts';
import type { BlockPool } from '../block-pool.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { writeAll, writeAllNow } from '../../write-all.ts';

export interface FileWriterOptions {
  readonly path: string;
  readonly size: number;
  readonly clock: Clock;
  /** Written and not flushed yet, in bytes, also by earlier writers of this file. */
  readonly unflushed: { bytes: number };
  /** Of writes of 1 MiB at most. */
  readonly inPlace: DoesInPlace;
  readonly budget: MemoryBudget;
  readonly blocks: BlockPool;
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
/** So much is written before the turn of the event loop is over: it is about what stays in the processor's cache. */
const ENOUGH_BYTES = 512 * 1024;
/**
 * So much is flushed while more comes, so that at the end not all of it has to be. A flush holds writes up while the file
 * system's journal commits, for longer the more there was to flush: 1 GiB takes 3.5 s with this and 4.0 with 256 MiB.
 */
const FLUSH_BYTES = 32 * 1024 * 1024;
const FLAGS = constants.O_RDWR | constants.O_CREAT;
const MODE = 0o600;

export class FileWriter {
  readonly #options: FileWriterOptions;
  #queue: Run[] = [];
  #queued = 0;
  /** Being written by an I/O thread: one at a time, since the kernel lets only one write to a file. */
  #writing: Run | undefined;
  #next: NodeJS.Immediate | undefined;
  #fd: number | undefined;
  #flushing: Promise<void> | undefined;
  #error: DebtorrentError | undefined;
  #waiting: { readonly start: number; readonly end: number; readonly resolve: () => void }[] = [];

  constructor(options: FileWriterOptions) {
    this.#options = options;
  }

  /** Takes bytes that count in the budget already; they leave it when they are written. `data` need not last. */
  push(start: number, data: Buffer): void {
    const { size, budget, blocks } = this.#options;
    if (this.#error !== undefined) return budget.release(data.length);
    if (size <= SMALL_FILE_BYTES) {
      this.#writeNow({ start, chunks: [data], bytes: data.length });
      return this.#closeFile();
    }
    const chunk = blocks.keep(data);
    const run = this.#queue.find((each) => each.start + each.bytes === start && each.bytes < MAX_RUN_BYTES);
    if (run === undefined) {
      this.#queue.push({ start, chunks: [chunk], bytes: chunk.length });
    } else {
      run.chunks.push(chunk);
      run.bytes += chunk.length;
    }
    this.#queued += chunk.length;
    if (this.#queued >= ENOUGH_BYTES) return this.#kick();
    if (this.#next !== undefined) return undefined;
    this.#next = setImmediate(() => {
      this.#next = undefined;
      this.#kick();
    });
    return undefined;
  }

  /** Resolves when nothing of a range is being written or waits for it. */
  async settled(start = 0, end = Infinity): Promise<void> {
    if (this.#busy(start, end)) await new Promise<void>((resolve) => this.#waiting.push({ start, end, resolve }));
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#flushing;
    this.#closeFile();
  }

  #kick(): void {
    const { clock, inPlace } = this.#options;
    while (this.#writing === undefined) {
      const run = this.#queue.shift();
      if (run === undefined) break;
      this.#queued -= run.bytes;
      const began = clock.now();
      if (!inPlace.allows(began)) {
        this.#writing = run;
        void this.#handOver(run);
        break;
      }
      this.#writeNow(run);
      inPlace.took(began, clock.now());
    }
    this.#tellSettled();
  }

  #busy(start: number, end: number): boolean {
    const touches = (run: Run) => run.start < end && run.start + run.bytes > start;
    return (this.#writing !== undefined && touches(this.#writing)) || this.#queue.some(touches);
  }

  async #handOver(run: Run): Promise<void> {
    try {
      await writeAll(this.#file(), run.chunks, run.start);
    } catch (error) {
      this.#failed(error as Error);
    }
    this.#writing = undefined;
    this.#done(run);
    this.#kick();
  }

  #writeNow(run: Run): void {
    try {
      writeAllNow(this.#file(), run.chunks, run.start);
    } catch (error) {
      this.#failed(error as Error);
    }
    this.#done(run);
  }

  #done({ start, chunks, bytes }: Run): void {
    const { budget, blocks, unflushed, wrote } = this.#options;
    for (const chunk of chunks) blocks.give(chunk);
    budget.release(bytes);
    if (this.#error !== undefined) return;
    unflushed.bytes += bytes;
    if (unflushed.bytes >= FLUSH_BYTES) this.#flush();
    wrote(start, start + bytes);
  }

  /** The system tells of bytes that it could not write to the disk once: nobody who flushes the file later hears of them. */
  #flush(): void {
    const fd = this.#fd;
    if (fd === undefined || this.#flushing !== undefined) return;
    this.#options.unflushed.bytes = 0;
    this.#flushing = new Promise<void>((resolve) => {
      fdatasync(fd, (error) => {
        if (error) this.#failed(error);
        resolve();
      });
    }).then(() => {
      this.#flushing = undefined;
    });
  }

  #tellSettled(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((each) => this.#busy(each.start, each.end));
    for (const each of waiting) if (!this.#waiting.includes(each)) each.resolve();
  }

  #file(): number {
    this.#fd ??= openSync(this.#options.path, FLAGS, MODE);
    return this.#fd;
  }

  #closeFile(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#error !== undefined) return;
    this.#error = storeError(error);
    this.#queued = 0;
    for (const { bytes, chunks } of this.#queue.splice(0)) {
      for (const chunk of chunks) this.#options.blocks.give(chunk);
      this.#options.budget.release(bytes);
    }
    this.#options.failed(this.#error);
  }
}
