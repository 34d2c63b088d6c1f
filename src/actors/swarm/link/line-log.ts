/** One line for each link that is refused or ends, as long as nobody makes them by the thousand. */
import type { Clock } from '../../../core/clock.ts';
import type { Logger } from '../../../core/logging.ts';
import { Allowance } from './allowance.ts';

const BURST = 50;
const PER_SECOND = 2;
/** After so long what was left out is counted in a line. */
const SUM_MS = 10_000;

export interface LineLogDeps {
  readonly log: Logger;
  readonly clock: Clock;
}

export class LineLog {
  readonly #deps: LineLogDeps;
  readonly #spoken: Allowance;
  /** Of its own, so that what nobody reads does not use up the lines of what matters. */
  readonly #debug: Allowance;
  #leftOut = 0;
  #timer: { clear(): void } | undefined;

  constructor(deps: LineLogDeps) {
    this.#deps = deps;
    this.#spoken = new Allowance(BURST, PER_SECOND, deps.clock.now());
    this.#debug = new Allowance(BURST, PER_SECOND, deps.clock.now());
  }

  say(level: 'debug' | 'info' | 'warn', fields: object, message: string): void {
    const { log, clock } = this.#deps;
    if ((level === 'debug' ? this.#debug : this.#spoken).take(1, clock.now())) {
      log[level](fields, message);
      return;
    }
    if (level === 'debug') return;
    this.#leftOut += 1;
    this.#timer ??= clock.setTimeout(() => this.#sum(), SUM_MS);
  }

  close(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    if (this.#leftOut > 0) this.#sum();
  }

  #sum(): void {
    this.#timer = undefined;
    this.#deps.log.warn({ lines: this.#leftOut }, 'more links were refused or ended than are logged one by one');
    this.#leftOut = 0;
  }
}
