/** Hashes of files, in a pool of threads of their own. */
import { availableParallelism } from 'node:os';

import { Piscina } from 'piscina';

import { DebtorrentError } from '../core/errors.ts';
import { parseSha256, type Sha256 } from '../core/ids.ts';
import type { ReadyMark } from '../core/ready-mark.ts';
import { workerUrl } from '../kernel/worker-url.ts';

/** All reject with OVERLOADED when too many wait, and with STORE_IO when the file is not there or too short. */
export interface Hashing {
  /** Hashes the first `size` bytes. */
  sha256(path: string, size: number): Promise<Sha256>;
  /**
   * Hashes a file of `size` bytes while it is written, as far as the mark says. Undefined when the mark becomes void or
   * stands still, so that others do not wait behind it.
   */
  sha256Along(path: string, size: number, mark: ReadyMark): Promise<Sha256 | undefined>;
  /** Roots of all pieces of the first `size` bytes (docs/PROTOCOL.md), 32 bytes each. */
  pieceRoots(path: string, size: number): Promise<Uint8Array>;
  /** The root, 32 bytes, of the piece of `length` bytes (1 to 1 MiB) from `start` on. */
  pieceRoot(path: string, start: number, length: number): Promise<Uint8Array>;
  /**
   * There may be work soon: the threads that stay start in a moment, when whoever says so has done what it is busy with.
   * Starting one takes a tenth of a second or more, in which nobody should wait for it. Idempotent.
   */
  prepare(): void;
  close(): Promise<void>;
}

export interface HashingOptions {
  /** Threads at most; they start when needed and end when idle. */
  readonly threads: number;
  /** Threads that stay once they are there. */
  readonly kept?: number;
  /** Files that wait at most. */
  readonly maxQueue: number;
}

/** Of a daemon's thread. A second one takes more to start than it gains, unless there is a processor for it. */
export const DAEMON_HASHING: HashingOptions = { threads: availableParallelism() > 2 ? 2 : 1, kept: 1, maxQueue: 4_096 };
/** Threads without work end after this time, in milliseconds. */
const IDLE_MS = 20_000;
/**
 * Threads load their module by import alone, where Piscina would try require first: Node 20 ends the whole process when a
 * thread is ended just while require links a module (v8::Module::IsGraphAsync).
 */
const IMPORT_ONLY = '--no-experimental-require-module';
/** Threads that stay start so many milliseconds after it was said that they may be needed. */
const PREPARE_MS = 2_000;

export function createHashing({ threads, maxQueue, kept = 0 }: HashingOptions): Hashing {
  const start = () =>
    new Piscina<unknown, unknown>({
      filename: workerUrl('hash').href,
      minThreads: kept,
      maxThreads: threads,
      idleTimeout: IDLE_MS,
      maxQueue,
      ...(process.allowedNodeEnvironmentFlags.has(IMPORT_ONLY) && { execArgv: [IMPORT_ONLY] }),
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
    });
  let pool: Piscina<unknown, unknown> | undefined;
  const started = () => (pool ??= start());
  let early: NodeJS.Timeout | undefined;
  async function run(name: string, task: object): Promise<unknown> {
    if (started().queueSize >= maxQueue) throw new DebtorrentError('OVERLOADED', 'too many files wait to be hashed');
    try {
      return await started().run(task, { name });
    } catch (error) {
      throw new DebtorrentError('STORE_IO', `hashing failed: ${(error as Error).message}`, { cause: error });
    }
  }
  return {
    async sha256(path, size) {
      const sha256 = parseSha256(String(await run('sha256OfFile', { path, size })));
      if (sha256 === undefined) throw new DebtorrentError('INTERNAL', 'the hashing pool gave no digest');
      return sha256;
    },
    async sha256Along(path, size, { memory }) {
      const sha256 = await run('sha256Along', { path, size, memory });
      return typeof sha256 === 'string' ? parseSha256(sha256) : undefined;
    },
    pieceRoots: async (path, size) => (await run('pieceRootsOfFile', { path, size })) as Uint8Array,
    pieceRoot: async (path, start, length) => (await run('pieceRootOfFile', { path, start, length })) as Uint8Array,
    prepare() {
      if (pool === undefined) early ??= setTimeout(started, PREPARE_MS).unref();
    },
    async close() {
      clearTimeout(early);
      await pool?.close({ force: true });
    },
  };
}
