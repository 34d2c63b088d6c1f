/** What this machine has: what it was told, and what the store says, asked once and remembered for a while. */
import type { Clock } from '../../../core/clock.ts';
import type { Sha256 } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logging.ts';
import type { Bitmap } from '../../../core/swarm/bitmap.ts';
import { LruMap } from '../../../core/swarm/lru-map.ts';
import type { StoredFile } from '../../store/protocol.ts';
import { SharedFile } from './shared-file.ts';

export interface HoldingsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  find(sha256: Sha256): Promise<StoredFile | undefined>;
  check(file: StoredFile): Promise<boolean>;
  /** A file of the store whose hash had to be checked first is right. */
  confirmed(file: SharedFile): void;
  /** A file that was believed to be right is not, or cannot be read. */
  failed(file: SharedFile): void;
}

const MAX_WHOLE = 4_096;
const MAX_ABSENT = 16_384;
/** For so long it is believed that the store does not have a file; what is verified here is told at once. */
const ABSENT_MS = 10_000;
/** Files that wait to be hashed. */
const MAX_CHECKS = 256;

export class Holdings {
  readonly #deps: HoldingsDeps;
  readonly #partial = new Map<Sha256, SharedFile>();
  readonly #whole = new LruMap<Sha256, SharedFile>({ entries: MAX_WHOLE });
  /** When the store said so. */
  readonly #absent = new LruMap<Sha256, number>({ entries: MAX_ABSENT });
  readonly #asked = new Map<Sha256, Promise<SharedFile | undefined>>();
  /** The first one is being hashed. */
  readonly #checks = new Map<Sha256, StoredFile>();

  constructor(deps: HoldingsDeps) {
    this.#deps = deps;
  }

  /** What is known without asking; `nothing` for a file that is not here. */
  known(sha256: Sha256): SharedFile | 'nothing' | undefined {
    const file = this.#partial.get(sha256) ?? this.#whole.get(sha256);
    if (file !== undefined) return file;
    const since = this.#absent.get(sha256);
    return since !== undefined && this.#deps.clock.now() - since < ABSENT_MS ? 'nothing' : undefined;
  }

  /** Asks the store; several that ask for one file at once are one question. Never rejects. */
  ask(sha256: Sha256): Promise<SharedFile | undefined> {
    const running = this.#asked.get(sha256);
    if (running !== undefined) return running;
    const asked = this.#ask(sha256).finally(() => this.#asked.delete(sha256));
    this.#asked.set(sha256, asked);
    return asked;
  }

  /** The file of these bytes is being fetched, and these pieces of it may be offered. */
  partial(sha256: Sha256, size: number, path: string, offerable: Bitmap): SharedFile {
    const file = SharedFile.partial(sha256, size, path, offerable);
    this.forget(sha256);
    this.#partial.set(sha256, file);
    return file;
  }

  isPartial(sha256: Sha256): SharedFile | undefined {
    return this.#partial.get(sha256);
  }

  /** What was partial is the same object, complete. */
  verified(sha256: Sha256, size: number, path: string, finalPath: string): SharedFile {
    const now = this.#deps.clock.now();
    const partial = this.#partial.get(sha256);
    this.forget(sha256);
    partial?.complete(path, finalPath, now);
    const file = partial ?? SharedFile.whole(sha256, size, path, finalPath, now);
    this.#whole.set(sha256, file);
    return file;
  }

  forget(sha256: Sha256): void {
    this.#partial.delete(sha256);
    this.#whole.delete(sha256);
    this.#absent.delete(sha256);
  }

  /** The file could not be read; the store is not asked for it again at once. */
  lost(file: SharedFile): void {
    file.isLost = true;
    if (this.known(file.sha256) !== file) return;
    this.forget(file.sha256);
    this.#absent.set(file.sha256, this.#deps.clock.now());
  }

  async #ask(sha256: Sha256): Promise<SharedFile | undefined> {
    let found: StoredFile | undefined;
    try {
      found = await this.#deps.find(sha256);
    } catch {
      return undefined;
    }
    const known = this.known(sha256);
    if (known !== undefined && known !== 'nothing') return known;
    if (found?.verified === true) {
      // Peers hash what they get, so nobody waits for a check that finds nothing nearly always.
      if (found.checkAgain) this.#check(found);
      return this.verified(sha256, found.size, found.path, found.path);
    }
    this.#absent.set(sha256, this.#deps.clock.now());
    if (found !== undefined) this.#check(found);
    return undefined;
  }

  #check(file: StoredFile): void {
    if (this.#checks.size >= MAX_CHECKS || this.#checks.has(file.sha256)) return;
    this.#checks.set(file.sha256, file);
    if (this.#checks.size === 1) void this.#checkAll();
  }

  async #checkAll(): Promise<void> {
    for (const [sha256, { path, size }] of this.#checks) {
      const file = this.#checks.get(sha256) as StoredFile;
      const isRight = await this.#deps.check(file).catch((error: unknown) => {
        this.#deps.log.warn({ err: error, sha256 }, 'a cached file could not be checked for peers');
        return false;
      });
      this.#checks.delete(sha256);
      const known = this.known(sha256);
      if (isRight && (known === undefined || known === 'nothing')) {
        this.#deps.confirmed(this.verified(sha256, size, path, path));
      } else if (!isRight && file.verified && known !== undefined && known !== 'nothing') {
        this.#deps.failed(known);
      }
    }
  }
}
