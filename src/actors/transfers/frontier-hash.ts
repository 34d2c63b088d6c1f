/**
 * SHA-256 of a file that is still arriving: follows the bytes in order, so that little is left to hash when the last
 * one comes. In this thread, which has little to do while others write: a slice takes less than a millisecond.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

import type { Sha256 } from '../../core/ids.ts';

const SLICE_BYTES = 512 * 1024;
/** More than this is left to the hashing pool. */
const MAX_BEHIND_BYTES = 64 * 1024 * 1024;

/** One buffer for all files: slices are read and hashed without a pause between. */
let buffer: Buffer | undefined;

/** SHA-256 of the first bytes of a small file. Throws as `fs` does, or when it is shorter. */
export function hashNow(path: string, size: number): Sha256 {
  const fd = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    for (let position = 0; position < size;) {
      const slice = readSlice(fd, position, size);
      if (slice.length === 0) throw new Error(`${path} ends at ${position} of ${size} bytes`);
      hash.update(slice);
      position += slice.length;
    }
    return hash.digest('hex') as Sha256;
  } finally {
    closeSync(fd);
  }
}

/** What follows `position`, up to `end`: for the time of a call, before the next slice of any file. */
function readSlice(fd: number, position: number, end: number): Buffer {
  buffer ??= Buffer.allocUnsafeSlow(SLICE_BYTES);
  return buffer.subarray(0, readSync(fd, buffer, 0, Math.min(SLICE_BYTES, end - position), position));
}

export class FrontierHash {
  readonly #path: string;
  readonly #hash = createHash('sha256');
  #fd: number | undefined;
  #position = 0;
  #end = 0;
  #next: NodeJS.Immediate | undefined;
  #done: (() => void) | undefined;
  #failed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes before `end` will not change any more. */
  advance(end: number): void {
    this.#end = Math.max(this.#end, end);
    if (this.#next === undefined && this.#end - this.#position >= SLICE_BYTES) this.#continue();
  }

  /** The hash of the first `size` bytes; undefined when it is quicker to begin anew. The object is used up then. */
  async finish(size: number): Promise<Sha256 | undefined> {
    this.#end = size;
    if (size - this.#position <= MAX_BEHIND_BYTES) {
      this.#continue();
      if (this.#next !== undefined) await new Promise<void>((resolve) => (this.#done = resolve));
    }
    const whole = !this.#failed && this.#position === size;
    this.close();
    return whole ? (this.#hash.digest('hex') as Sha256) : undefined;
  }

  close(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
    this.#failed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#done?.();
  }

  #continue(): void {
    if (this.#failed || this.#position >= this.#end) return;
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      this.#slice();
    });
  }

  #slice(): void {
    try {
      this.#fd ??= openSync(this.#path, 'r');
      const slice = readSlice(this.#fd, this.#position, this.#end);
      if (slice.length === 0) throw new Error('the file is shorter than it should be');
      this.#hash.update(slice);
      this.#position += slice.length;
    } catch {
      // The hashing pool reads it again, and says what is wrong.
      this.#failed = true;
    }
    this.#continue();
    if (this.#next === undefined) this.#done?.();
  }
}
