/**
 * Writes one answer's body into a partial file, in order. While one write is under way the chunks that arrive are
 * gathered, so a fast source costs few system calls and a slow one no delay.
 */
import { open, type FileHandle } from 'node:fs/promises';

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
const MAX_CHUNKS = 256;

export class RangeWriter implements BodyWriter {
  readonly #deps: BodyWriterOptions;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #position: number;
  #paused = false;
  #running: Promise<void> | undefined;
  #error: Error | undefined;
  #handle: FileHandle | undefined;

  constructor(deps: BodyWriterOptions) {
    this.#deps = deps;
    this.#position = deps.start;
  }

  get end(): number {
    return this.#position + this.#queuedBytes;
  }

  push(chunk: Buffer): void {
    if (this.#error !== undefined || chunk.length === 0) return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (!this.#paused && this.#queuedBytes > HIGH_WATER) {
      this.#paused = true;
      this.#deps.pause();
    }
    this.#running ??= this.#run();
  }

  async finish(): Promise<void> {
    await this.#running;
    await this.#handle?.close();
    this.#handle = undefined;
    if (this.#error !== undefined) throw this.#error;
  }

  async #run(): Promise<void> {
    try {
      this.#handle ??= await open(this.#deps.path, 'r+');
      while (this.#queue.length > 0) {
        const chunks = this.#queue.splice(0, MAX_CHUNKS);
        const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        await writeAll(this.#handle, chunks, this.#position);
        const start = this.#position;
        this.#position += bytes;
        this.#queuedBytes -= bytes;
        this.#deps.wrote(start, this.#position);
        if (this.#paused && this.#queuedBytes < HIGH_WATER / 2) {
          this.#paused = false;
          this.#deps.resume();
        }
      }
    } catch (error) {
      this.#error = error as Error;
      this.#queue = [];
      this.#queuedBytes = 0;
      if (this.#paused) this.#deps.resume();
    } finally {
      this.#running = undefined;
    }
  }

  get error(): Error | undefined {
    return this.#error;
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
