/**
 * Writes one answer's body into a partial file, in order. What comes is copied into a buffer of half a MiB, and that is
 * written when it is full, when it has waited for 30 ms, or when the body has ended. Writes are made in this thread as
 * long as they need not wait for the disk; while an I/O thread makes one, more is gathered.
 */
import { closeSync, constants, openSync } from 'node:fs';

import { type DoesInPlace, InPlace } from '../../core/in-place.ts';
import { writeAll, writeAllNow } from '../write-all.ts';

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
  /** The chunk is the caller's again afterwards. */
  push(chunk: Buffer): void;
  /** Waits until all that was pushed is where it belongs; throws the first error. */
  finish(): Promise<void>;
}

const HIGH_WATER = 4 * 1024 * 1024;
const PIECE_BYTES = 512 * 1024;
/** A slow source's bytes are written after this time at the latest, in milliseconds, for those who wait for them. */
const GATHER_MS = 30;
/** Buffers without use that are kept, 4 MiB in all. */
const MAX_SPARE = 8;
/** A write of half a MiB that took so many milliseconds has waited for the disk. */
const WAITED_MS = 20;

const spare: Buffer[] = [];
const disk = new InPlace(WAITED_MS);

export class RangeWriter implements BodyWriter {
  readonly #deps: BodyWriterOptions;
  readonly #inPlace: DoesInPlace;
  /** Full ones, and then the one that is being filled. */
  readonly #pieces: { readonly buffer: Buffer; used: number }[] = [];
  #queuedBytes = 0;
  #position: number;
  #paused = false;
  /** An I/O thread is writing. */
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #error: Error | undefined;
  #fd: number | undefined;

  constructor(deps: BodyWriterOptions, inPlace: DoesInPlace = disk) {
    this.#deps = deps;
    this.#inPlace = inPlace;
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
    for (let at = 0; at < chunk.length;) {
      let piece = this.#pieces.at(-1);
      if (piece === undefined || piece.used === PIECE_BYTES) {
        this.#pieces.push((piece = { buffer: spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES), used: 0 }));
      }
      const copied = chunk.copy(piece.buffer, piece.used, at);
      piece.used += copied;
      at += copied;
    }
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes >= PIECE_BYTES) this.#write(PIECE_BYTES);
    this.#timer ??= this.#queuedBytes === 0 ? undefined : setTimeout(() => this.#gathered(), GATHER_MS);
    if (!this.#paused && this.#queuedBytes > HIGH_WATER) {
      this.#paused = true;
      this.#deps.pause();
    }
  }

  async finish(): Promise<void> {
    this.#write(1);
    while (this.#writing !== undefined) {
      await this.#writing;
      this.#write(1);
    }
    clearTimeout(this.#timer);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    if (this.#error !== undefined) throw this.#error;
  }

  #gathered(): void {
    this.#timer = undefined;
    this.#write(1);
  }

  /** Writes pieces of at least so many bytes, unless a write is under way: that goes on with full ones. */
  #write(least: number): void {
    while (this.#writing === undefined && (this.#pieces[0]?.used ?? 0) >= least) {
      const { buffer, used } = this.#pieces.shift() as { buffer: Buffer; used: number };
      try {
        this.#fd ??= openSync(this.#deps.path, constants.O_RDWR | constants.O_CREAT, 0o600);
        const began = performance.now();
        if (!this.#inPlace.allows(began)) {
          this.#writing = this.#handOver(this.#fd, buffer, used);
          return;
        }
        writeAllNow(this.#fd, [buffer.subarray(0, used)], this.#position);
        this.#inPlace.took(began, performance.now());
        this.#wrote(buffer, used);
      } catch (error) {
        this.#failed(error as Error, buffer);
      }
    }
  }

  async #handOver(fd: number, buffer: Buffer, used: number): Promise<void> {
    try {
      await writeAll(fd, [buffer.subarray(0, used)], this.#position);
      this.#writing = undefined;
      this.#wrote(buffer, used);
    } catch (error) {
      this.#writing = undefined;
      this.#failed(error as Error, buffer);
    }
    this.#write(PIECE_BYTES);
  }

  #wrote(buffer: Buffer, bytes: number): void {
    giveBack(buffer);
    const start = this.#position;
    this.#position += bytes;
    this.#queuedBytes -= bytes;
    this.#deps.wrote(start, this.#position);
    if (this.#paused && this.#queuedBytes < HIGH_WATER / 2) {
      this.#paused = false;
      this.#deps.resume();
    }
  }

  #failed(error: Error, buffer: Buffer): void {
    this.#error = error;
    for (const piece of [{ buffer }, ...this.#pieces.splice(0)]) giveBack(piece.buffer);
    this.#queuedBytes = 0;
    if (!this.#paused) return;
    this.#paused = false;
    this.#deps.resume();
  }
}

function giveBack(buffer: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(buffer);
}
