/**
 * A compressed index as a stream. gzip is Node's own; xz, bzip2, zstd and lzma are the distribution's programs, which
 * read the file themselves and run beside the thread that scans what they put out.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Compression } from '../../core/archive/index-name.ts';
import { DebtorrentError } from '../../core/errors.ts';

export interface DecompressOptions {
  /** Bytes that may come out; more is INDEX_TOO_LARGE. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

const CHUNK_BYTES = 64 * 1024;

/** The dictionary that xz may be told to keep: -9 asks for 64 MiB. */
const PROGRAMS: Readonly<Record<Exclude<Compression, 'none' | 'gz'>, readonly [string, ...string[]]>> = {
  xz: ['xz', '--decompress', '--stdout', '--format=xz', '--memlimit-decompress=256MiB', '--quiet'],
  lzma: ['xz', '--decompress', '--stdout', '--format=lzma', '--memlimit-decompress=256MiB', '--quiet'],
  bz2: ['bzip2', '--decompress', '--stdout', '--quiet'],
  zst: ['zstd', '--decompress', '--stdout', '--quiet'],
};

/**
 * Throws INDEX_MALFORMED for what cannot be decompressed, INDEX_TOO_LARGE, DECOMPRESSOR_MISSING, CANCELLED. The
 * handle stays open and is the caller's. A program ends with the iteration, however that ends.
 */
export async function* decompress(
  file: FileHandle,
  compression: Compression,
  options: DecompressOptions,
): AsyncGenerator<Buffer, void, void> {
  let length = 0;
  const source =
    compression === 'none' || compression === 'gz' ? inThread(file, compression) : program(file, compression);
  const { stream, finished, kill } = source;
  const abort = (): void => kill();
  options.signal.addEventListener('abort', abort);
  try {
    if (options.signal.aborted) throw cancelled();
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > options.maxBytes) throw new DebtorrentError('INDEX_TOO_LARGE', `over ${options.maxBytes} bytes`);
      yield chunk;
    }
    await finished;
  } catch (error) {
    if (error instanceof DebtorrentError) throw error;
    if (options.signal.aborted) throw cancelled();
    const message = error instanceof Error ? error.message : String(error);
    throw new DebtorrentError('INDEX_MALFORMED', `the index cannot be decompressed: ${message}`);
  } finally {
    options.signal.removeEventListener('abort', abort);
    kill();
  }
}

function cancelled(): DebtorrentError {
  return new DebtorrentError('CANCELLED', 'loading of the index was cancelled');
}

interface Source {
  readonly stream: Readable;
  /** Rejects when what came out is not all. */
  readonly finished: Promise<void>;
  kill(): void;
}

function inThread(file: FileHandle, compression: 'none' | 'gz'): Source {
  const plain = file.createReadStream({ autoClose: false, start: 0, highWaterMark: CHUNK_BYTES });
  if (compression === 'none') return { stream: plain, finished: Promise.resolve(), kill: () => plain.destroy() };
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  plain.once('error', (error) => gunzip.destroy(error));
  plain.pipe(gunzip);
  const kill = (): void => {
    plain.destroy();
    gunzip.destroy();
  };
  return { stream: gunzip, finished: Promise.resolve(), kill };
}

function program(file: FileHandle, compression: keyof typeof PROGRAMS): Source {
  const [command, ...args] = PROGRAMS[compression];
  const child = spawn(command, args, {
    stdio: [file.fd, 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  }) as ChildProcessByStdio<null, Readable, Readable>;
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 500)));
  const finished = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      const code = missing ? 'DECOMPRESSOR_MISSING' : 'INTERNAL';
      const failure = new DebtorrentError(code, `${command} cannot be run: ${error.message}`);
      child.stdout.destroy(failure);
      reject(failure);
    });
    child.once('close', (code, signal) => {
      const why = complaint || `it ended with ${signal ?? `code ${code}`}`;
      if (code === 0) resolve();
      else reject(new DebtorrentError('INDEX_MALFORMED', `${command} cannot decompress the index: ${why}`));
    });
  });
  finished.catch(() => undefined);
  const kill = (): void => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    child.stdout.destroy();
  };
  return { stream: child.stdout, finished, kill };
}
