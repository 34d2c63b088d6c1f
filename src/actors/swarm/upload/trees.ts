/** Piece roots of verified files, computed when a peer asks and kept for the next one. */
import type { Clock } from '../../../core/clock.ts';
import type { Sha256 } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logging.ts';
import { MAX_TREE_PIECES, ROOT_BYTES } from '../../../core/swarm/limits.ts';
import { LruMap } from '../../../core/swarm/lru-map.ts';
import type { TokenBucket } from '../../../core/swarm/token-bucket.ts';
import type { SharedFile } from './shared-file.ts';

export interface TreesDeps {
  readonly clock: Clock;
  readonly log: Logger;
  pieceRoots(path: string, size: number): Promise<Uint8Array>;
}

type Reply = (roots: Uint8Array) => void;

const MAX_TREES = 64;
const MAX_TREE_BYTES = 4 * 1024 * 1024;
/** Files hashed at once, so that a thread is left for the pieces that this machine fetches, and those that wait. */
const MAX_RUNNING = 1;
const MAX_WAITING = 64;
const NO_ROOTS = new Uint8Array(0);

export class Trees {
  readonly #deps: TreesDeps;
  readonly #kept = new LruMap<Sha256, Uint8Array>({
    entries: MAX_TREES,
    weight: MAX_TREE_BYTES,
    weigh: (roots) => roots.length,
  });
  /** Who waits for each file that is hashed or is to be, in order. */
  readonly #pending = new Map<SharedFile, Reply[]>();
  #running = 0;
  #stopped = false;

  constructor(deps: TreesDeps) {
    this.#deps = deps;
  }

  /**
   * Replies with the roots, now or later, and with none for a file that is not whole, is too large for one message,
   * or cannot be hashed now.
   * @param budget of the asking peer, in bytes to hash
   */
  request(file: SharedFile, budget: TokenBucket, reply: Reply): void {
    if (!file.isWhole || file.pieces > MAX_TREE_PIECES) return reply(NO_ROOTS);
    const kept = this.#kept.get(file.sha256);
    if (kept !== undefined) return reply(kept);
    const pending = this.#pending.get(file);
    if (pending !== undefined) {
      pending.push(reply);
      return undefined;
    }
    const isFull = this.#pending.size >= MAX_RUNNING + MAX_WAITING;
    if (isFull || this.#stopped || budget.take(file.size, this.#deps.clock.now()) > 0) return reply(NO_ROOTS);
    this.#pending.set(file, [reply]);
    if (this.#running < MAX_RUNNING) void this.#run(file);
    return undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#pending.clear();
  }

  async #run(first: SharedFile): Promise<void> {
    this.#running += 1;
    const started = this.#started;
    for (let file: SharedFile | undefined = first; file !== undefined; file = this.#nextWaiting()) {
      started.add(file);
      const roots = await this.#hash(file);
      started.delete(file);
      const replies = this.#pending.get(file) ?? [];
      this.#pending.delete(file);
      if (roots.length > 0) this.#kept.set(file.sha256, roots);
      for (const reply of replies) reply(roots);
    }
    this.#running -= 1;
  }

  readonly #started = new Set<SharedFile>();

  #nextWaiting(): SharedFile | undefined {
    for (const file of this.#pending.keys()) if (!this.#started.has(file)) return file;
    return undefined;
  }

  async #hash(file: SharedFile): Promise<Uint8Array> {
    for (const { path } of file.locations(this.#deps.clock.now())) {
      try {
        const roots = await this.#deps.pieceRoots(path, file.size);
        if (roots.length === file.pieces * ROOT_BYTES) return roots;
      } catch (error) {
        this.#deps.log.debug({ err: error, sha256: file.sha256 }, 'no piece roots could be computed');
      }
    }
    return NO_ROOTS;
  }
}
