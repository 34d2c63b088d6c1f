/** Jobs waiting for one of a mirror's connections, first come first served, with a bound. */
import { DebtorrentError } from '../../core/errors.ts';

export class MirrorQueue {
  readonly #limit: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Map<number, { start: () => void; cancel: (error: Error) => void }>();
  #running = 0;

  /** @param limit jobs that run at once. @param maxWaiting jobs that wait at most; more are refused (OVERLOADED). */
  constructor(limit: number, maxWaiting = 4096) {
    this.#limit = limit;
    this.#maxWaiting = maxWaiting;
  }

  get idle(): boolean {
    return this.#running === 0 && this.#waiting.size === 0;
  }

  /** Runs `work` when a place is free. Rejects with CANCELLED when `cancel(id)` comes first. */
  async run<T>(id: number, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) {
      if (this.#waiting.size >= this.#maxWaiting) {
        throw new DebtorrentError('OVERLOADED', 'too many requests wait for this mirror');
      }
      await new Promise<void>((resolve, reject) => this.#waiting.set(id, { start: resolve, cancel: reject }));
    } else {
      this.#running += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.entries().next();
      if (next.done === true) {
        this.#running -= 1;
      } else {
        // The place goes from one job to the next without becoming free in between.
        this.#waiting.delete(next.value[0]);
        next.value[1].start();
      }
    }
  }

  cancel(id: number): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel(new DebtorrentError('CANCELLED', 'the job was cancelled'));
  }
}
