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
  /** Who waits for the swarm's first word. */
  #asked: (() => void) | undefined;

  constructor(clock: Clock, over: () => void) {
    this.#clock = clock;
    this.#over = over;
  }

  /** Some may come any moment. */
  get awaited(): boolean {
    return this.#timer !== undefined;
  }

  /** The swarm was asked; resolves when it has answered, when that takes longer than `ms`, or when it is over. */
  asked(ms: number, late: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#asked = resolve;
      this.#wait(ms, () => {
        late();
        this.#heard();
        this.#wait(LATE_MS - ms, this.#over);
      });
    });
  }

  /** The swarm has said what it knows; some peers may not have answered. */
  came(unanswered: boolean): void {
    if (!unanswered) this.stop();
    else if (this.#asked !== undefined) this.#wait(STRAGGLERS_MS, this.#over);
    this.#heard();
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#heard();
  }

  #heard(): void {
    const resolve = this.#asked;
    this.#asked = undefined;
    resolve?.();
  }

  #wait(ms: number, then: () => void): void {
    this.#timer?.clear();
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      then();
    }, ms);
  }
}
