/** Whether it is known yet what peers have of a file, and take of it from the mirror. */
import type { Clock } from '../../core/clock.ts';

/** Answers that are late are still reckoned with for this time after the question, in milliseconds. */
const LATE_MS = 1_000;
/** So are those of peers that have not answered when the swarm says what it knows, from then on. */
const STRAGGLERS_MS = 300;

export class PeerAnswers {
  readonly #clock: Clock;
  /** Nobody is reckoned with any more. */
  readonly #over: () => void;
  #timer: { clear(): void } | undefined;
  #asked = false;

  constructor(clock: Clock, over: () => void) {
    this.#clock = clock;
    this.#over = over;
  }

  /** Some may come any moment. */
  get awaited(): boolean {
    return this.#asked || this.#timer !== undefined;
  }

  /** The swarm was asked. */
  asked(): void {
    this.#asked = true;
  }

  /** The swarm has said what it knows; some peers may not have answered. */
  came(unanswered: boolean): void {
    if (!unanswered) this.stop();
    else if (this.#asked) this.#wait(STRAGGLERS_MS);
    this.#asked = false;
  }

  /** The swarm has not answered within so many milliseconds. */
  late(ms: number): void {
    this.#wait(LATE_MS - ms);
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#asked = false;
  }

  #wait(ms: number): void {
    this.#timer?.clear();
    this.#timer = this.#clock.setTimeout(() => {
      this.stop();
      this.#over();
    }, ms);
  }
}
