/** SHA-256 of whole files, in a pool of threads of their own. */
import { Piscina } from 'piscina';

import { DebtorrentError } from '../core/errors.ts';
import { parseSha256, type Sha256 } from '../core/ids.ts';
import { workerUrl } from '../kernel/worker-url.ts';

export interface Hashing {
  /** Hashes the first `size` bytes. Rejects with OVERLOADED when too many wait, STORE_IO when the file is not there. */
  sha256(path: string, size: number): Promise<Sha256>;
  close(): Promise<void>;
}

export interface HashingOptions {
  /** Threads at most; they start when needed and end when idle. */
  readonly threads: number;
  /** Files that wait at most. */
  readonly maxQueue: number;
}

/** Threads without work end after this time, in milliseconds. */
const IDLE_MS = 20_000;

export function createHashing({ threads, maxQueue }: HashingOptions): Hashing {
  const pool = new Piscina<{ path: string; size: number }, string>({
    filename: workerUrl('hash').href,
    name: 'sha256OfFile',
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    maxQueue,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
  });
  return {
    async sha256(path, size) {
      if (pool.queueSize >= maxQueue) throw new DebtorrentError('OVERLOADED', 'too many files wait to be hashed');
      let digest: string;
      try {
        digest = await pool.run({ path, size });
      } catch (error) {
        throw new DebtorrentError('STORE_IO', `hashing failed: ${(error as Error).message}`, { cause: error });
      }
      const sha256 = parseSha256(digest);
      if (sha256 === undefined) throw new DebtorrentError('INTERNAL', 'the hashing pool gave no digest');
      return sha256;
    },
    close: () => pool.close({ force: true }),
  };
}
