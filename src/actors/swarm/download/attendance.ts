/**
 * Whether the peer of a link is there to be waited for. One whose machine lost power or sleeps ends no link, and that is
 * noticed after minutes; until then each file would wait for its answer. So who has been asked for something and has not
 * sent a byte since, for longer than its answers take, is absent until a byte of it comes. Pure: times in milliseconds
 * come with each call.
 */
/** An answer may take so many times as long as the longest of late; */
const TIMES = 4;
/** but not less than this, as processors may be busy, and not more. */
const LEAST_MS = 150;
const MOST_MS = 1_000;
/** Assumed of a peer that has not answered yet. */
const FIRST_ANSWER_MS = 100;
/** What long answers count for goes down by this part with each that is shorter. */
const FADING = 0.1;
/** Every peer sends something each 55 s (PROTOCOL.md, Frames), give or take a look at the clock. */
const KEEP_ALIVE_LATE_MS = 75_000;

export class Attendance {
  /** When it was asked first of what it was asked since it was heard last. */
  #askedAt = -Infinity;
  #longestMs: number | undefined;
  /** It was given up after it had been heard then. */
  #givenUpAt: number | undefined;

  /** @param heardAt when the last byte came */
  asked(now: number, heardAt: number): void {
    if (this.#askedAt <= heardAt) this.#askedAt = now;
    if (now - heardAt >= KEEP_ALIVE_LATE_MS) this.#givenUpAt = heardAt;
  }

  /** An answer has taken so long. */
  answered(ms: number): void {
    const took = Math.min(ms, MOST_MS);
    const longest = this.#longestMs ?? took;
    this.#longestMs = Math.max(took, longest + FADING * (took - longest));
  }

  /**
   * To be called when an answer is missing and what has arrived was read. True when the peer is not waited for from
   * now on.
   */
  missing(now: number, heardAt: number): boolean {
    if (this.#askedAt <= heardAt || this.absent(heardAt) || now - this.#askedAt < this.#patienceMs) return false;
    this.#givenUpAt = heardAt;
    return true;
  }

  absent(heardAt: number): boolean {
    return this.#givenUpAt === heardAt;
  }

  get #patienceMs(): number {
    return Math.min(Math.max(LEAST_MS, TIMES * (this.#longestMs ?? FIRST_ANSWER_MS)), MOST_MS);
  }
}
