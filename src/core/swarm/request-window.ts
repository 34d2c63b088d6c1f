/**
 * How many blocks one link is asked for at once, and how long an answer may take. The window holds what the link
 * delivers in two of its shortest round trips and 20 ms more: enough to keep it busy, little enough that what is asked
 * next comes soon and that nothing much is lost when the peer leaves. What a peer says of the next file comes behind
 * these blocks, and a mirror is asked when that takes 50 ms. Pure: times in milliseconds come with each call.
 */
import { BLOCK_BYTES, MAX_REQUEST_BYTES } from './pieces.ts';

export const FIRST_WINDOW = 8;
export const MIN_WINDOW = 4;
export const MAX_WINDOW = 64;
const SLACK_MS = 20;
/** So long may what is asked for in one request take: for a fast link that is several blocks, which are less work. */
const REQUEST_MS = 8;
/** Blocks in one request. */
export const MAX_SPAN = MAX_REQUEST_BYTES / BLOCK_BYTES;
/** The rate is measured over spans of at least this time. */
const SPAN_MS = 40;
/** Weight of the newest span and of the newest answer. */
const NEW_SPAN = 0.5;
const NEW_ANSWER = 0.25;

/** Least time for a block of a file of several pieces, and of a file of one. */
export const MIN_DEADLINE_MS = 1_000;
export const MIN_SMALL_DEADLINE_MS = 300;
export const MAX_DEADLINE_MS = 8_000;
/** Assumed of a link that has not delivered yet, for blocks of files of several pieces. */
const FIRST_ANSWER_MS = 500;

export class RequestWindow {
  #size = FIRST_WINDOW;
  #rate = 0;
  #answerMs: number | undefined;
  #roundTripMs: number | undefined;
  #shortest = Infinity;
  #spanStart = 0;
  #spanBytes = 0;

  /** Blocks. */
  get size(): number {
    return this.#size;
  }

  /** Blocks for one request: 1, 2 or 4. */
  get span(): number {
    const blocks = (this.#rate * REQUEST_MS) / 1000 / BLOCK_BYTES;
    return blocks >= MAX_SPAN ? MAX_SPAN : blocks >= 2 ? 2 : 1;
  }

  /** Bytes a second while the link was busy; 0 before anything came. */
  get rate(): number {
    return this.#rate;
  }

  /** The round trip of a message: a first idea of how long a small file takes. */
  roundTrip(ms: number): void {
    this.#roundTripMs = Math.min(this.#roundTripMs ?? Infinity, Math.max(ms, 0));
  }

  /** A request was sent when none was open: time without work does not count. */
  began(now: number): void {
    this.#spanStart = now;
    this.#spanBytes = 0;
  }

  arrived(now: number, bytes: number, askedAt: number): void {
    const took = Math.max(now - askedAt, 0);
    this.#answerMs = this.#answerMs === undefined ? took : this.#answerMs + NEW_ANSWER * (took - this.#answerMs);
    this.#shortest = Math.min(this.#shortest, took);
    this.#spanBytes += bytes;
    const span = now - this.#spanStart;
    if (span < SPAN_MS) return;
    const rate = (this.#spanBytes * 1000) / span;
    this.#rate = this.#rate === 0 ? rate : this.#rate + NEW_SPAN * (rate - this.#rate);
    this.#spanStart = now;
    this.#spanBytes = 0;
    const wanted = Math.ceil((this.#rate / 1000 / BLOCK_BYTES) * (2 * this.#shortest + SLACK_MS));
    // At most doubled at once: the rate of a burst out of some buffer does not last.
    this.#size = Math.min(Math.max(wanted, MIN_WINDOW), 2 * this.#size, MAX_WINDOW);
  }

  /** A block did not come in time: the next ones get longer, and fewer are asked for. */
  timedOut(small: boolean): void {
    this.#answerMs = Math.max(this.#answerMs ?? 0, this.deadline(small) / 4) * 1.5;
    this.#size = Math.max(MIN_WINDOW, Math.floor(this.#size / 2));
  }

  /** Time for one block, in milliseconds. */
  deadline(small: boolean): number {
    const least = small ? MIN_SMALL_DEADLINE_MS : MIN_DEADLINE_MS;
    const usual = this.#answerMs ?? (small ? (this.#roundTripMs ?? 0) : FIRST_ANSWER_MS);
    return Math.round(Math.min(Math.max(least, 4 * usual), MAX_DEADLINE_MS));
  }

  /** When a block asked for now would come if `open` blocks come before it, in milliseconds; a guess. */
  expected(open: number): number {
    if (this.#rate > 0) return ((open + 1) * BLOCK_BYTES * 1000) / this.#rate;
    return (this.#answerMs ?? this.#roundTripMs ?? FIRST_ANSWER_MS) * (1 + open / FIRST_WINDOW);
  }
}
