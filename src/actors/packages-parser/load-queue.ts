/**
 * Which indexes are being loaded. Fetching waits for mirrors and goes on for a few at once; parsing needs a processor
 * and memory and goes on for one at a time. One index is never in the queue twice.
 */
import type { Clock } from '../../core/clock.ts';
import { asDebtorrentError, ERRORS, type DebtorrentError } from '../../core/errors.ts';

export interface LoadQueueDeps {
  readonly clock: Clock;
  /** Loads what the id stands for, as of now; rejects when that failed. */
  readonly load: (id: string, parsing: Turnstile) => Promise<void>;
  /** Called when it failed; `again` says whether it will be tried again by itself. */
  readonly failed: (id: string, error: DebtorrentError, again: boolean) => void;
}

const MAX_AT_ONCE = 4;
/** Indexes that wait; a machine uses a handful. */
const MAX_WAITING = 512;
/** Milliseconds before an index is tried again whose fault may pass; after these it waits to be asked for. */
const RETRY_MS = [5_000, 30_000, 120_000];

export class LoadQueue {
  readonly #deps: LoadQueueDeps;
  readonly #parsing = new Turnstile();
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  /** Asked for again while it was running: what it stands for may have changed. */
  readonly #again = new Set<string>();
  readonly #retries = new Map<string, { attempts: number; timer?: { clear(): void } }>();
  #stopped = false;

  constructor(deps: LoadQueueDeps) {
    this.#deps = deps;
  }

  /** False when the queue is full. */
  add(id: string): boolean {
    if (this.#stopped) return false;
    this.#retries.get(id)?.timer?.clear();
    if (this.#running.has(id)) {
      this.#again.add(id);
      return true;
    }
    if (!this.#waiting.has(id) && this.#waiting.size >= MAX_WAITING) return false;
    this.#waiting.add(id);
    this.#next();
    return true;
  }

  /** Nothing more is begun. What runs is ended by whoever gave it its signal. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    for (const { timer } of this.#retries.values()) timer?.clear();
  }

  #next(): void {
    for (const id of this.#waiting) {
      if (this.#running.size >= MAX_AT_ONCE || this.#stopped) return;
      this.#waiting.delete(id);
      this.#running.add(id);
      void this.#run(id);
    }
  }

  async #run(id: string): Promise<void> {
    try {
      await this.#deps.load(id, this.#parsing);
      this.#retries.delete(id);
    } catch (error) {
      if (!this.#stopped) this.#failed(id, asDebtorrentError(error));
    }
    this.#running.delete(id);
    if (this.#again.delete(id)) this.add(id);
    this.#next();
  }

  #failed(id: string, error: DebtorrentError): void {
    const attempts = (this.#retries.get(id)?.attempts ?? 0) + 1;
    const delay = ERRORS[error.code].transient ? RETRY_MS[attempts - 1] : undefined;
    if (delay === undefined) this.#retries.delete(id);
    else this.#retries.set(id, { attempts, timer: this.#deps.clock.setTimeout(() => this.add(id), delay) });
    this.#deps.failed(id, error, delay !== undefined);
  }
}

/** Lets one through at a time, in order. */
export class Turnstile {
  #last: Promise<unknown> = Promise.resolve();

  through<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
