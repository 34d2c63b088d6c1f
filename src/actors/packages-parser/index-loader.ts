/** Turns one file of an index into a segment. Nothing of the index stays in memory but the segment itself. */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { DebtorrentError, storeError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/ids.ts';
import type { Compression } from '../../core/archive/index-name.ts';
import { SegmentBuilder } from '../../core/archive/segment-builder.ts';
import type { Segment } from '../../core/archive/segment.ts';
import { StanzaScanner } from '../../core/archive/stanza-scanner.ts';
import { decompress } from './decompress.ts';

export interface IndexFile {
  readonly path: string;
  readonly kind: 'packages' | 'sources';
  readonly compression: Compression;
  /** What the Release says of this file. */
  readonly sha256: Sha256;
  readonly size: number;
  /** Bytes of the uncompressed index, where the Release lists it. */
  readonly plainSize?: number;
  /** Where a nameless file of the size of the uncompressed index may be made. */
  readonly scratchDir: string;
}

export interface LoadedIndex {
  readonly segment: Segment;
  readonly files: number;
  readonly bytes: number;
  readonly skipped: number;
}

/** Bytes that an index may have whose uncompressed form is not listed. */
const MAX_UNLISTED_BYTES = 2 * 1024 ** 3;
/** Bytes; no archive comes near. */
const MAX_INDEX_BYTES = 4 * 1024 ** 3;
/** A stanza of Packages has some 800 bytes, and a file of Sources some 400. */
const BYTES_PER_ENTRY = 700;
const HASH_CHUNK = 256 * 1024;

/**
 * Rejects with HASH_MISMATCH when the file is not the one that the Release lists, INDEX_MALFORMED, INDEX_TOO_LARGE,
 * DECOMPRESSOR_MISSING, STORE_IO, CANCELLED.
 */
export async function loadIndex(file: IndexFile, signal: AbortSignal): Promise<LoadedIndex> {
  const handle = await open(file.path, 'r').catch(unreadable);
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  try {
    const { size } = await handle.stat().catch(unreadable);
    if (size !== file.size) throw notListed(`it has ${size} bytes instead of ${file.size}`);
    const work = [scan(handle, file, both), checkHash(handle, file, both)] as const;
    try {
      const [loaded] = await Promise.all(work);
      return loaded;
    } finally {
      // neither may go on with a descriptor that is closed and perhaps given to another file
      stop.abort();
      await Promise.allSettled(work);
    }
  } finally {
    await handle.close();
  }
}

async function scan(handle: FileHandle, file: IndexFile, signal: AbortSignal): Promise<LoadedIndex> {
  const maxBytes = Math.min(file.plainSize ?? MAX_UNLISTED_BYTES, MAX_INDEX_BYTES);
  const builder = new SegmentBuilder(Math.min(maxBytes, 64 * 1024 * 1024) / BYTES_PER_ENTRY);
  let bytes = 0;
  let left = 0;
  const scanner = new StanzaScanner(file.kind, (path, start, end, size, sha256) => {
    const result = builder.add(path, start, end, size, sha256);
    if (result === 'added') bytes += size;
    else if (result === 'full') throw new DebtorrentError('INDEX_TOO_LARGE', 'the index names too many files');
    else if (result !== 'same') left++;
  });
  const options = { maxBytes, dir: file.scratchDir, signal, sink: (chunk: Buffer) => scanner.feed(chunk) };
  const length = await decompress(handle, file.compression, options);
  if (file.plainSize !== undefined && length !== file.plainSize) {
    throw notListed(`it has ${length} bytes uncompressed instead of ${file.plainSize}`, 'INDEX_MALFORMED');
  }
  const { skipped } = scanner.end();
  return { segment: builder.finish(), files: builder.count, bytes, skipped: skipped + left };
}

/** The store has checked it when it came; a disk can still have damaged it since. */
async function checkHash(handle: FileHandle, file: IndexFile, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(HASH_CHUNK);
  for (let at = 0; at < file.size;) {
    if (signal.aborted) throw new DebtorrentError('CANCELLED', 'loading of the index was cancelled');
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at).catch(unreadable);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  if (hash.digest('hex') !== file.sha256) throw notListed('its SHA-256 is another');
}

function unreadable(error: unknown): never {
  throw storeError(error, 'the index cannot be read: ');
}

function notListed(why: string, code: 'HASH_MISMATCH' | 'INDEX_MALFORMED' = 'HASH_MISMATCH'): DebtorrentError {
  return new DebtorrentError(code, `this is not the index that the Release lists: ${why}`);
}
