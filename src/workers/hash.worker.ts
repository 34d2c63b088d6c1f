/** The tasks that the hashing pool runs: SHA-256 of a file, and roots of its pieces, read with one buffer. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

import { ReadyMark } from '../core/ready-mark.ts';
import { RootHasher } from '../core/swarm/tree.ts';

/**
 * What is read has to be in the processor's cache still when it is hashed, and a second-level cache may have no more than
 * 512 KiB: reading 256 MiB for it takes 60 ms of the system's time like this, and 190 with 512 KiB or more.
 */
const BUFFER_BYTES = 128 * 1024;
/** So long the thread waits for bytes of one file in all, in milliseconds: others are to be hashed, too. */
const PATIENCE_MS = 1_000;
let buffer: Buffer | undefined;

export interface HashTask {
  readonly path: string;
  /** Bytes to hash from the beginning; a shorter file gives an error. */
  readonly size: number;
}

export interface AlongTask extends HashTask {
  /** Of a ReadyMark. */
  readonly memory: SharedArrayBuffer;
}

export interface PieceTask {
  readonly path: string;
  readonly start: number;
  /** Bytes, 1 to 1 MiB; a file that ends before gives an error. */
  readonly length: number;
}

/** 64 hexadecimal digits. */
export function sha256OfFile({ path, size }: HashTask): string {
  const hash = createHash('sha256');
  opened(path, (file) => read(file, 0, size, (bytes) => hash.update(bytes)));
  return hash.digest('hex');
}

/**
 * Of a file that is being written, as far as the mark says, until all of it is there. Undefined when the mark becomes
 * void, or what comes has to be waited for too long.
 */
export function sha256Along({ path, size, memory }: AlongTask): string | undefined {
  const mark = new ReadyMark(memory);
  const hash = createHash('sha256');
  return opened(path, (file) => {
    let patience = PATIENCE_MS;
    for (let position = 0; position < size;) {
      const end = Math.min(mark.end, size);
      if (mark.isVoid || patience <= 0) return undefined;
      if (end <= position) {
        const began = performance.now();
        mark.wait(end, patience);
        patience -= performance.now() - began;
        continue;
      }
      read(file, position, end - position, (bytes) => hash.update(bytes));
      position = end;
    }
    return hash.digest('hex');
  });
}

/** Roots of all pieces (docs/PROTOCOL.md), 32 bytes each. */
export function pieceRootsOfFile({ path, size }: HashTask): Uint8Array {
  return rootsOf(path, 0, size);
}

/** The root of one piece, 32 bytes. */
export function pieceRootOfFile({ path, start, length }: PieceTask): Uint8Array {
  if (length < 1) throw new RangeError('a piece has at least one byte');
  return rootsOf(path, start, length);
}

function rootsOf(path: string, start: number, length: number): Uint8Array {
  const hasher = new RootHasher();
  opened(path, (file) => read(file, start, length, (bytes) => hasher.update(bytes)));
  return hasher.finish();
}

interface OpenFile {
  readonly path: string;
  readonly fd: number;
}

function opened<T>(path: string, use: (file: OpenFile) => T): T {
  const fd = openSync(path, 'r');
  try {
    return use({ path, fd });
  } finally {
    closeSync(fd);
  }
}

/** Gives the bytes in chunks of BUFFER_BYTES, the last one aside. */
function read({ path, fd }: OpenFile, start: number, length: number, take: (bytes: Buffer) => void): void {
  buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const end = start + length;
  for (let position = start; position < end;) {
    const wanted = Math.min(BUFFER_BYTES, end - position);
    let filled = 0;
    while (filled < wanted) {
      const count = readSync(fd, buffer, filled, wanted - filled, position + filled);
      if (count === 0) throw new Error(`${path} ends at ${position + filled} of ${end} bytes`);
      filled += count;
    }
    take(buffer.subarray(0, filled));
    position += filled;
  }
}
