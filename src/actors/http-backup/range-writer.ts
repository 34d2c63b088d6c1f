/**
 * Writes one answer's body into a partial file, in order. While one write is under way the chunks that arrive are
 * gathered, so a fast source costs few system calls and a slow one no delay.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { SMALL_FILE_BYTES } from '../../core/job-size.ts';

export interface BodyWriterOptions {
  readonly path: string;
  readonly start: number;
  wrote(start: number, end: number): void;
  /** More than HIGH_WATER bytes wait to be written, or no longer. */
  pause(): void;
  resume(): void;
}

/** Takes a body in order. */
export interface BodyWriter {
  /** Offset after the last byte that was handed over. */
  readonly end: number;
  readonly error: Error | undefined;
  push(chunk: Buffer): void;
  /** Waits until all that was pushed is where it belongs; throws the first error. */
  finish(): Promise<void>;
}

const HIGH_WATER = 4 * 1024 * 1024;
/** Bodies are written in pieces of about this size: each write costs a thread switch there and back. */
const PIECE_BYTES = 512 * 1024;
/** A slow source's bytes are written after this time at the latest, in milliseconds, for those who wait for them. */
const GATHER_MS = 30;
const MAX_CHUNKS = 256;

export class RangeWriter implements BodyWriter {
  readonly #deps: BodyWriterOptions;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #position: number;
  #paused = false;
  #busy = false;
  #loop: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #error: Error | undefined;
  #handle: FileHandle | undefined;

  constructor(deps: BodyWriterOptions) {
    this.#deps = deps;
    this.#position = deps.start;
  }

  get end(): number {
    return this.#position + this.#queuedBytes;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  push(chunk: Buffer): void {
    if (this.#error !== undefined || chunk.length === 0) return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (!this.#paused && this.#queuedBytes > HIGH_WATER) {
      this.#paused = true;
      this.#deps.pause();
    }
    if (this.#queuedBytes >= PIECE_BYTES) this.#kick();
    else this.#timer ??= setTimeout(() => this.#kick(), GATHER_MS);
  }

  async finish(): Promise<void> {
    if (this.#handle === undefined && !this.#busy && this.#queuedBytes <= SMALL_FILE_BYTES) this.#writeSmall();
    while (this.#busy || this.#queue.length > 0) {
      this.#kick();
      await this.#loop;
    }
    clearTimeout(this.#timer);
    await this.#handle?.close();
    this.#handle = undefined;
    if (this.#error !== undefined) throw this.#error;
  }

  /** Writes what is queued now, unless a write is under way: that goes on with it, or leaves it to the timer. */
  #kick(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#busy) return;
    this.#busy = true;
    this.#loop = this.#run();
  }

  /** The only place that writes, and never twice at once: `#busy` is set from its beginning to its end. */
  async #run(): Promise<void> {
    try {
      this.#handle ??= await open(this.#deps.path, constants.O_RDWR | constants.O_CREAT, 0o600);
      do {
        const chunks = this.#queue.splice(0, MAX_CHUNKS);
        if (chunks.length > 0) await writeAll(this.#handle, chunks, this.#position);
        this.#wrote(chunks);
        if (this.#paused && this.#queuedBytes < HIGH_WATER / 2) {
          this.#paused = false;
          this.#deps.resume();
        }
      } while (this.#queue.length > 0 && this.#queuedBytes >= PIECE_BYTES);
    } catch (error) {
      this.#failed(error as Error);
    }
    this.#busy = false;
    if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#kick(), GATHER_MS);
  }

  /**
   * Writes a small body when it has ended, without leaving the thread: into the page cache that takes less time than
   * handing the work over (measured: a tenth). Most packages are small.
   */
  #writeSmall(): void {
    if (this.#queuedBytes === 0) return;
    const chunks = this.#queue.splice(0);
    try {
      const fd = openSync(this.#deps.path, constants.O_RDWR | constants.O_CREAT, 0o600);
      try {
        const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        for (let done = 0; done < bytes.length;) {
          done += writeSync(fd, bytes, done, bytes.length - done, this.#position + done);
        }
      } finally {
        closeSync(fd);
      }
      this.#wrote(chunks);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #wrote(chunks: readonly Buffer[]): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (bytes === 0) return;
    const start = this.#position;
    this.#position += bytes;
    this.#queuedBytes -= bytes;
    this.#deps.wrote(start, this.#position);
  }

  #failed(error: Error): void {
    this.#error = error;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#paused) this.#deps.resume();
  }
}

async function writeAll(handle: FileHandle, chunks: Buffer[], position: number): Promise<void> {
  let rest = chunks;
  let at = position;
  for (;;) {
    const { bytesWritten } = await handle.writev(rest, at);
    let left = bytesWritten;
    at += bytesWritten;
    while (rest.length > 0 && left >= (rest[0] as Buffer).length) {
      left -= (rest[0] as Buffer).length;
      rest = rest.slice(1);
    }
    if (rest.length === 0) return;
    // A short write happens when the disk is nearly full: the next one says why.
    rest = [(rest[0] as Buffer).subarray(left), ...rest.slice(1)];
  }
}
