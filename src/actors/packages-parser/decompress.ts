/**
 * A compressed index as a stream of chunks. gzip is Node's own; xz, bzip2, zstd and lzma are the distribution's
 * programs, which read the file themselves and work beside the thread that scans.
 *
 * They write to a nameless file and not to a pipe: they write 8 KiB at a time, and waking the other side 6,000 times
 * for one index costs both sides more than the work itself (0.85 s instead of 0.6 s for bookworm's main).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import type { Compression } from '../../core/archive/index-name.ts';
import { DebtorrentError, storeError } from '../../core/errors.ts';
import { isMissing } from './run-program.ts';

export interface DecompressOptions {
  /** Bytes that may come out; more is INDEX_TOO_LARGE. */
  readonly maxBytes: number;
  /** Where the nameless file is made. */
  readonly dir: string;
  readonly signal: AbortSignal;
  /** Sees each chunk, which it must not keep; what it throws ends the work. */
  readonly sink: (chunk: Buffer) => void;
}

const CHUNK_BYTES = 256 * 1024;
const POLL_MS = 5;

type Program = readonly [string, ...string[]];

/**
 * The dictionary that xz may be told to keep is bounded: -9 asks for 64 MiB. Two threads, as bookworm's main index has
 * two blocks; where xz has too little memory, or is older than 5.4, it takes one.
 */
const PROGRAMS: Readonly<Record<Exclude<Compression, 'none' | 'gz'>, Program>> = {
  xz: ['xz', '--decompress', '--stdout', '--format=xz', '--threads=2', '--memlimit-decompress=256MiB', '--quiet'],
  lzma: ['xz', '--decompress', '--stdout', '--format=lzma', '--memlimit-decompress=256MiB', '--quiet'],
  bz2: ['bzip2', '--decompress', '--stdout', '--quiet'],
  zst: ['zstd', '--decompress', '--stdout', '--quiet'],
};

/**
 * Resolves with the number of bytes that came out. Rejects with INDEX_MALFORMED for what cannot be decompressed,
 * INDEX_TOO_LARGE, DECOMPRESSOR_MISSING, STORE_FULL, STORE_IO, CANCELLED, and with what the sink throws. The handle
 * is read from its beginning; it stays open and is the caller's. No program outlives the promise.
 */
export async function decompress(file: FileHandle, form: Compression, options: DecompressOptions): Promise<number> {
  requireRunning(options.signal);
  let length = 0;
  const take = (chunk: Buffer): void => {
    requireRunning(options.signal);
    length += chunk.length;
    if (length > options.maxBytes) throw tooLarge(options.maxBytes);
    options.sink(chunk);
  };
  if (form === 'none' || form === 'gz') await inThread(file, form, take);
  else await byProgram(file, PROGRAMS[form], take, options);
  return length;
}

async function inThread(file: FileHandle, form: 'none' | 'gz', take: (chunk: Buffer) => void): Promise<void> {
  const plain = file.createReadStream({ autoClose: false, start: 0, highWaterMark: CHUNK_BYTES });
  const gunzip = form === 'gz' ? createGunzip({ chunkSize: CHUNK_BYTES }) : undefined;
  if (gunzip) plain.once('error', (error) => gunzip.destroy(error)).pipe(gunzip);
  try {
    for await (const chunk of (gunzip ?? plain) as AsyncIterable<Buffer>) take(chunk);
  } catch (error) {
    if (error instanceof DebtorrentError) throw error;
    throw new DebtorrentError('INDEX_MALFORMED', `gzip cannot decompress the index: ${messageOf(error)}`);
  } finally {
    plain.destroy();
    gunzip?.destroy();
  }
}

async function byProgram(
  file: FileHandle,
  [command, ...args]: Program,
  take: (chunk: Buffer) => void,
  { dir, signal, maxBytes }: DecompressOptions,
): Promise<void> {
  const output = await namelessFile(dir);
  try {
    requireRunning(signal);
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn(command, args, { stdio: [file.fd, output.fd, 'pipe'], env });
    const kill = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', kill);
    const end = endOf(child, command);
    try {
      await follow(output, end, take, maxBytes);
    } finally {
      signal.removeEventListener('abort', kill);
      kill();
      await end.closed;
    }
  } finally {
    await output.close();
  }
}

interface End {
  /** Resolves when the program has ended; never rejects. */
  readonly closed: Promise<void>;
  /** Resolves when it has ended or after some milliseconds. */
  soon(): Promise<void>;
  readonly state: () => 'running' | 'done' | DebtorrentError;
}

function endOf(child: ChildProcess, command: string): End {
  let state: 'running' | 'done' | DebtorrentError = 'running';
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 500)));
  const closed = new Promise<void>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const code = isMissing(error) ? 'DECOMPRESSOR_MISSING' : 'INTERNAL';
      state = new DebtorrentError(code, `${command} cannot be run: ${error.message}`);
      if (child.pid === undefined) resolve();
    });
    child.once('close', (code, signal) => {
      if (code === 0) state = 'done';
      else if (state === 'running') {
        const why = complaint.trim() || `it ended with ${signal ?? `code ${code}`}`;
        const isFull = /no space left|disk quota/i.test(complaint);
        const fault = isFull ? 'STORE_FULL' : 'INDEX_MALFORMED';
        state = new DebtorrentError(fault, `${command} cannot decompress the index: ${why}`);
      }
      resolve();
    });
  });
  const soon = async (): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([closed, new Promise((resolve) => (timer = setTimeout(resolve, POLL_MS)))]);
    clearTimeout(timer);
  };
  return { closed, soon, state: () => state };
}

/**
 * Reads what the program has written so far, again and again, until it has ended and all is read. A program that writes
 * faster than this reads is many times `maxBytes` ahead when these have been read: what is written has to have an end.
 */
async function follow(output: FileHandle, end: End, take: (chunk: Buffer) => void, maxBytes: number): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let at = 0; ;) {
    const before = end.state();
    if ((await output.stat()).size > maxBytes) throw tooLarge(maxBytes);
    const { bytesRead } = await output.read(buffer, 0, buffer.length, at);
    at += bytesRead;
    if (bytesRead > 0) take(buffer.subarray(0, bytesRead));
    if (bytesRead === buffer.length) continue;
    if (before instanceof DebtorrentError) throw before;
    if (before === 'done' && bytesRead === 0) return;
    if (before === 'running') await end.soon();
  }
}

async function namelessFile(dir: string): Promise<FileHandle> {
  const path = join(dir, `unpack-${randomUUID()}`);
  try {
    const file = await open(path, 'wx+', 0o600);
    await rm(path);
    return file;
  } catch (error) {
    throw storeError(error, 'the index cannot be decompressed: ');
  }
}

function tooLarge(maxBytes: number): DebtorrentError {
  return new DebtorrentError('INDEX_TOO_LARGE', `over ${maxBytes} bytes`);
}

function requireRunning(signal: AbortSignal): void {
  if (signal.aborted) throw new DebtorrentError('CANCELLED', 'loading of the index was cancelled');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
