/**
 * Another machine that takes pieces of a file from the mirror for all (docs/PROTOCOL.md, Fetching together): what it has
 * said, and how long it is waited for. Pure: times in milliseconds come with each call.
 */
import { Bitmap } from './bitmap.ts';

/** A taker that has not named a piece after this time is passed over. */
export const NAME_MS = 1_000;
/** One that is only expected to want the file, as it wanted those before, has this time to say so. */
export const EXPECT_MS = 300;
/** A taker that has named a piece is passed over when it has not said so again for this time. */
export const SILENT_MS = 3_000;
/** One that leaves when it has named pieces for this time and delivered none is as bad as one that stays and stalls. */
export const LEFT_MS = 4_000;

export class Taker {
  /** By piece; higher goes first. */
  readonly weights: BigUint64Array;
  /** Since when both want the file. */
  since: number;
  named: Bitmap;
  delivered = 0;
  stalledAt: number | undefined;
  #goneAt: number | undefined;
  #expectedUntil: number | undefined;
  #heardAt: number;
  /** How long it has named pieces since it delivered one, up to `#heardAt`. */
  #unproductiveMs = 0;
  #passedOver = false;
  #owing = false;
  /** When it stopped to name a piece. */
  readonly #dropped = new Map<number, number>();

  /** @param expectedUntil it has not said that it wants the file, and is reckoned with until then */
  constructor(weights: BigUint64Array, now: number, expectedUntil?: number) {
    this.weights = weights;
    this.since = now;
    this.named = new Bitmap(weights.length);
    this.#heardAt = now;
    this.#expectedUntil = expectedUntil;
  }

  get gone(): boolean {
    return this.#goneAt !== undefined;
  }

  /** It has not said yet that it wants the file. */
  get expected(): boolean {
    return this.#expectedUntil !== undefined;
  }

  /** It wants the file, from now on. */
  join(now: number): void {
    if (!this.gone && !this.expected) return;
    this.#goneAt = undefined;
    this.#expectedUntil = undefined;
    this.since = now;
  }

  /** @param owing somebody waits for a piece that it has named */
  leave(now: number, owing = false): void {
    if (this.gone) return;
    if (owing) {
      this.#unproductiveMs += now - this.#heardAt;
      // Coming back does not make it good.
      this.#owing ||= this.#unproductiveMs >= NAME_MS;
    }
    this.#goneAt = now;
    this.#expectedUntil = undefined;
    this.named = new Bitmap(this.weights.length);
  }

  /** The pieces that it takes; the whole state. */
  names(named: Bitmap, now: number): void {
    // Neither saying it again nor leaving off for a moment makes it more true.
    if (!this.named.isEmpty) this.#unproductiveMs += now - this.#heardAt;
    for (const piece of this.named) if (!named.has(piece)) this.#dropped.set(piece, now);
    for (const piece of named) this.#dropped.delete(piece);
    this.named = named;
    this.#heardAt = now;
  }

  /** It has a piece that it had not before. */
  delivers(now: number): void {
    this.delivered += 1;
    // Counted from now on: `#heardAt` may lie behind.
    this.#unproductiveMs = this.named.isEmpty ? 0 : this.#heardAt - now;
    this.stalledAt = undefined;
    this.#passedOver = false;
    this.#owing = false;
  }

  /** Its turn came and passed. Who promised nothing broke no word. */
  passOver(): void {
    if (!this.gone && !this.expected) this.#passedOver = true;
  }

  /** What its word was worth in this file. */
  get word(): 'kept' | 'passed' | 'stalled' {
    const left = this.#owing && this.#unproductiveMs >= LEFT_MS;
    if (this.stalledAt !== undefined || left) return 'stalled';
    return this.#passedOver || this.#owing ? 'passed' : 'kept';
  }

  /** It has let others wait in vain; one of those that were killed in the middle of their work has not. */
  get failed(): boolean {
    return this.stalledAt !== undefined || (this.#owing && this.delivered === 0);
  }

  /** Until when what it names counts, if it delivers. */
  get namesUntil(): number {
    return this.#heardAt + SILENT_MS;
  }

  /** When it has named pieces for `stallMs` and delivered none. */
  stallsAt(stallMs: number): number {
    return this.#heardAt - this.#unproductiveMs + stallMs;
  }

  /** When it is passed over for a piece unless it is heard of, if its turn began at `turnAt`. */
  turnEnds(piece: number, turnAt: number, stallMs: number): number {
    const over = this.#goneAt ?? this.#expectedUntil ?? this.stalledAt;
    if (over !== undefined) return over;
    if (this.named.has(piece)) return Math.min(this.namesUntil, this.stallsAt(stallMs));
    // It may have got the piece, and word of that is on its way.
    return Math.max(this.#dropped.get(piece) ?? 0, this.since, turnAt) + NAME_MS;
  }

  /** It is expected to want the file, and may say so yet. */
  expectedAt(now: number): boolean {
    return (this.#expectedUntil ?? 0) > now;
  }
}
