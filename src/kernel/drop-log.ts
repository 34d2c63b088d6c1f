/** Counts tells that were not taken, and says so at most once a second, so that an overload does not fill the log. */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logging.ts';

const INTERVAL_MS = 1000;

export interface DropLogDeps {
  readonly actor: string;
  readonly log: Logger;
  readonly clock: Clock;
}

export class DropLog {
  readonly #deps: DropLogDeps;
  #total = 0;
  #unsaid = 0;
  #timer: { clear(): void } | undefined;

  constructor(deps: DropLogDeps) {
    this.#deps = deps;
  }

  /** Messages dropped so far. */
  get total(): number {
    return this.#total;
  }

  count(kind: string, why: 'mailbox full' | 'ended'): void {
    this.#total += 1;
    this.#unsaid += 1;
    if (this.#timer === undefined) this.#say(kind, why);
  }

  close(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #say(kind: string, why: string): void {
    const { actor, log, clock } = this.#deps;
    log.warn({ actor, kind, why, dropped: this.#unsaid, total: this.#total }, 'messages dropped');
    this.#unsaid = 0;
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#unsaid > 0) this.#say(kind, why);
    }, INTERVAL_MS);
  }
}
