/**
 * What a peer is good for where machines fetch files together: whether it keeps its word, is likely to want the same, and
 * says what it takes. Pure: times in milliseconds come with each call.
 */
/** Broken words until the peer is not left anything to take from the mirror: a stall costs more than a turn missed. */
const MAX_BROKEN_WORDS = 3;
const FIRST_DISTRUST_MS = 60_000;
const MAX_DISTRUST_MS = 3_600_000;
/** A peer that wants the same so soon after this machine, in milliseconds, is in step with it. */
const IN_STEP_MS = 500;
/** Files in a row that it does not want, or much later, until it is out of step. */
const MAX_STEPS = 4;
/** Files that it wanted and said nothing of, until that it wants one does not mean that it takes it; */
const MAX_UNANSWERED = 4;
/** and answers that make good for one of them. */
const ANSWERS_FOR_SILENCE = 4;

export class Standing {
  #brokenWords = 0;
  #distrustMs = FIRST_DISTRUST_MS;
  #distrustedUntil = 0;
  #steps = 0;
  #unanswered = 0;

  /** It is not reckoned with when a file is fetched together. */
  distrusted(now: number): boolean {
    return this.#distrustedUntil > now;
  }

  /** It did not take from the mirror what fell to it, or promised to and did not deliver. */
  brokeWord(how: 'passed' | 'stalled', now: number): void {
    this.#brokenWords += how === 'stalled' ? MAX_BROKEN_WORDS : 1;
    if (this.#brokenWords < MAX_BROKEN_WORDS) return;
    this.#brokenWords = 0;
    this.#distrustedUntil = now + this.#distrustMs;
    this.#distrustMs = Math.min(2 * this.#distrustMs, MAX_DISTRUST_MS);
  }

  keptWord(): void {
    this.#brokenWords = 0;
    this.#distrustMs = FIRST_DISTRUST_MS;
  }

  /** It has wanted the same as this machine at the same time lately, so it is likely to want the next file too. */
  get inStep(): boolean {
    return this.#steps > 0;
  }

  /** Both want a file, and the peer has said so within so many milliseconds; Infinity: it does not want it. */
  step(ms: number): void {
    this.#steps = ms <= IN_STEP_MS ? Math.min(this.#steps + 1, MAX_STEPS) : Math.max(this.#steps - 1, 0);
  }

  /** It wants files and does not say what it has and takes of them. */
  get mute(): boolean {
    return this.#unanswered >= MAX_UNANSWERED;
  }

  answered(): void {
    this.#unanswered = Math.max(this.#unanswered - 1 / ANSWERS_FOR_SILENCE, 0);
  }

  gaveNoAnswer(): void {
    this.#unanswered += 1;
  }
}
