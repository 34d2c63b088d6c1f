/**
 * SHA-256 of a file that is still arriving: follows the bytes in order, so that little is left to hash when the last
 * one comes. In this thread, which has little to do while others write: a slice takes less than a millisecond.
 */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

import type { Sha256 } from '../../core/ids.ts';

const SLICE_BYTES = 512 * 1024;
/** Slices are read in parts, so that each is hashed while it is in the processor's cache. */
const PART_BYTES = 128 * 1024;
/** More than this is left to the hashing pool. */
const MAX_BEHIND_BYTES = 64 * 1024 * 1024;

/** One buffer for all files: parts are read and hashed without a pause between. */
let buffer: Buffer | undefined;

/** SHA-256 of the first bytes of a small file. Throws as `fs` does, or when it is shorter. */
export function hashNow(path: string, size: number): Sha256 {
  const fd = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    hashRange(hash, fd, 0, size, path);
    return hash.digest('hex') as Sha256;
  } finally {
    closeSync(fd);
  }
}

/** Throws when the file ends before. */
function hashRange(hash: Hash, fd: number, start: number, end: number, path: string): void {
  buffer ??= Buffer.allocUnsafeSlow(PART_BYTES);
  for (let position = start; position < end;) {
    const count = readSync(fd, buffer, 0, Math.min(PART_BYTES, end - position), position);
    if (count === 0) throw new Error(`${path} ends at ${position} of ${end} bytes`);
    hash.update(buffer.subarray(0, count));
    position += count;
  }
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
      const end = Math.min(this.#position + SLICE_BYTES, this.#end);
      hashRange(this.#hash, this.#fd, this.#position, end, this.#path);
      this.#position = end;
    } catch {
      // The hashing pool reads it again, and says what is wrong.
      this.#failed = true;
    }
    this.#continue();
    if (this.#next === undefined) this.#done?.();
  }
}
