/**
 * Which pieces of a file this machine takes from the mirror when others want the same file, and which it leaves to them
 * (docs/PROTOCOL.md, Fetching together). Every piece has an order of takers by weight; a taker that does not name a
 * piece in time, falls silent about it, delivers nothing or leaves is followed by the next. A machine with nothing of
 * its own left takes work from the one that is furthest behind. Pure: times in milliseconds come with each call.
 */
import { Bitmap } from './bitmap.ts';
import { EXPECT_MS, Taker } from './taker.ts';

/** After so many takers that were passed over a machine helps itself. */
export const MAX_PASSED = 3;
/** A taker that names pieces and delivers none for this time is not waited for; in files of one piece for the second. */
export const STALL_MS = 12_000;
export const SMALL_STALL_MS = 8_000;
/** Where the mirror is slow for all: so many times what a piece takes this machine itself, up to a bound. */
const STALL_PACES = 3;
const MAX_STALL_MS = 15_000;
/** Of two that take the same piece one leaves it, unless this part of it has come: 1 / BEGUN_PART. */
export const BEGUN_PART = 4;
/** Work is taken from another when what it still has to deliver would take this time, */
export const BEHIND_MS = 2_000;
/** and it takes so many times as long for a piece: with one and the same mirror to wait for nothing is gained. */
const SLOWER = 2;
/** Others that are reckoned with for one file; and pieces of a file that may be shared out. */
export const MAX_TAKERS = 32;
export const MAX_SHARED_PIECES = 4_096;

/** One that came to the file earlier is presumed to take it, or to have it, for this time, or until it answers. */
export const PRESUME_MS = 1_000;

/** Higher goes first; the same on all machines. */
export type Weigh = (piece: number, peer: string) => bigint;

export interface TogetherPlan {
  /** Pieces that this machine should take from the mirror: those it is taking, and those that fall to it. */
  readonly mine: Bitmap;
  /** Pieces that others are taking for all. */
  readonly elsewhere: Bitmap;
  /** When the plan is to be made again though nothing happened. */
  readonly until: number;
}

export interface TogetherState {
  readonly now: number;
  /** Pieces that are here, or that some peer has. */
  readonly settled: Bitmap;
  /** Pieces that this machine is taking from the mirror at this moment. */
  readonly taking: Bitmap;
  /** Those of them of which 1 / BEGUN_PART has come: they are not left to others any more. */
  readonly begun?: Bitmap | undefined;
  /** Milliseconds in which it gets a piece from there, when it has got some. */
  readonly pace?: number | undefined;
}

export class FetchingTogether {
  readonly #pieces: number;
  readonly #weigh: Weigh;
  readonly #self: string;
  /** Made when somebody else wants the file: most files are nobody else's business. */
  #own: BigUint64Array | undefined;
  readonly #takers = new Map<string, Taker>();
  /** Until when. */
  readonly #presumed = new Map<string, number>();
  #stallMs = STALL_MS;
  /** For each piece those who come before this machine, by weight. */
  #before: Taker[][] | undefined;

  constructor(options: { readonly self: string; readonly pieces: number; readonly weigh: Weigh }) {
    this.#pieces = options.pieces <= MAX_SHARED_PIECES ? options.pieces : 0;
    this.#weigh = options.weigh;
    this.#self = options.self;
  }

  /** Nobody else has ever wanted the file, or was thought to. */
  get alone(): boolean {
    return this.#takers.size + this.#presumed.size === 0;
  }

  /** Another machine wants the file too, from now on. */
  join(peer: string, now: number): void {
    const known = this.#takers.get(peer);
    if (known === undefined) this.#add(peer, now);
    else known.join(now);
  }

  /**
   * A machine that was asked for the file will want it too if it goes on as before. It is reckoned with from the start:
   * until machines in step have heard of each other all would take the same.
   */
  expect(peer: string, now: number): void {
    if (!this.#takers.has(peer)) this.#add(peer, now, now + EXPECT_MS);
  }

  /** It wanted the file before this machine did, so it is taking it, or has it, until it says what it takes and has. */
  presume(peer: string, now: number): void {
    if (this.#pieces > 0 && this.#presumed.size < MAX_TAKERS) this.#presumed.set(peer, now + PRESUME_MS);
  }

  /** It has said so. */
  answered(peer: string): void {
    this.#presumed.delete(peer);
  }

  /** It has answered, and does not want the file. False when it was not expected to. */
  unexpect(peer: string, now: number): boolean {
    const taker = this.#takers.get(peer);
    if (taker?.expected !== true) return false;
    taker.leave(now);
    return true;
  }

  /** Machines that are expected to want the file, and have not said so. */
  expected(now: number): number {
    return [...this.#takers.values()].filter((taker) => taker.expectedAt(now)).length;
  }

  /** @param settled pieces that are here, or that some peer has: nobody waits for them any more */
  leave(peer: string, now: number, settled: Bitmap): void {
    const taker = this.#takers.get(peer);
    taker?.leave(
      now,
      [...taker.named].some((piece) => !settled.has(piece)),
    );
  }

  /** The pieces that it takes from the mirror; the whole state. False when the bitmap is not one of this file. */
  names(peer: string, bytes: Uint8Array, now: number): boolean {
    if (this.#pieces === 0) return true;
    const named = Bitmap.parse(bytes, this.#pieces);
    if (named === undefined) return false;
    const taker = this.#takers.get(peer);
    if (taker?.gone === false) taker.names(named, now);
    return true;
  }

  /** It has a piece that it had not before. */
  delivered(peer: string, now: number): void {
    this.#takers.get(peer)?.delivers(now);
  }

  /** What a peer's word was worth in this file. */
  word(peer: string): 'kept' | 'passed' | 'stalled' {
    return this.#takers.get(peer)?.word ?? 'kept';
  }

  plan(state: TogetherState): TogetherPlan {
    const { now, settled, taking, pace = 0 } = state;
    const least = this.#pieces === 1 ? SMALL_STALL_MS : STALL_MS;
    this.#stallMs = Math.max(least, Math.min(STALL_PACES * pace, MAX_STALL_MS));
    const mine = new Bitmap(this.#pieces);
    const elsewhere = new Bitmap(this.#pieces);
    const namedUntil = this.#namedUntil(now);
    // After so many that promised and did not deliver nobody is waited for, also not those who come one after the other.
    const failed = [...this.#takers.values()].filter((taker) => taker.failed).length;
    const patient = failed < MAX_PASSED;
    let until = Infinity;
    const waits = (piece: number, time: number) => {
      elsewhere.set(piece);
      until = Math.min(until, time);
    };
    for (let piece = 0; piece < this.#pieces; piece++) {
      if (settled.has(piece)) continue;
      const named = namedUntil?.[piece] ?? 0;
      if ((taking.has(piece) && !this.#yields(piece, named > now, state)) || !patient) mine.set(piece);
      else if (named > now) waits(piece, named);
      else {
        const turn = this.#waitFor(piece, now);
        if (turn > now) waits(piece, turn);
        else mine.set(piece);
      }
    }
    if (mine.isEmpty && !elsewhere.isEmpty && state.pace !== undefined) {
      const piece = this.#furthestBehind(now, elsewhere, state.pace);
      if (piece !== undefined) {
        elsewhere.clear(piece);
        mine.set(piece);
      }
    }
    return { mine, elsewhere, until };
  }

  #add(peer: string, now: number, expectedUntil?: number): void {
    if (this.#takers.size >= MAX_TAKERS || this.#pieces === 0) return;
    this.#takers.set(peer, new Taker(this.#weights(peer), now, expectedUntil));
    this.#before = undefined;
  }

  /** Two have begun with the same piece, each before it heard of the other: one that comes before this one has it. */
  #yields(piece: number, named: boolean, { begun, now }: TogetherState): boolean {
    if (!named || begun === undefined || begun.has(piece)) return false;
    return this.#order(piece).some((taker) => {
      const alive = !taker.gone && taker.stalledAt === undefined;
      return alive && taker.named.has(piece) && taker.namesUntil > now;
    });
  }

  /** For each piece until when somebody names it, or is presumed to take it; undefined when nobody does. */
  #namedUntil(now: number): Float64Array | undefined {
    let until: Float64Array | undefined;
    const presumed = Math.max(0, ...this.#presumed.values());
    if (presumed > now) until = new Float64Array(this.#pieces).fill(presumed);
    for (const taker of this.#takers.values()) {
      if (taker.gone || taker.named.isEmpty) continue;
      const stalls = taker.stallsAt(this.#stallMs);
      if (now >= stalls) taker.stalledAt ??= stalls;
      const end = Math.min(taker.namesUntil, stalls);
      if (end <= now || taker.stalledAt !== undefined) continue;
      until ??= new Float64Array(this.#pieces);
      for (const piece of taker.named) until[piece] = Math.max(until[piece] ?? 0, end);
    }
    return until;
  }

  /** Until when those who come before this machine are waited for; a time that has passed when it is its own turn. */
  #waitFor(piece: number, now: number): number {
    let passed = 0;
    let turnAt = 0;
    for (const taker of this.#order(piece)) {
      const ends = taker.turnEnds(piece, turnAt, this.#stallMs);
      if (ends > now) return ends;
      taker.passOver();
      turnAt = Math.max(turnAt, ends);
      passed += 1;
      if (passed >= MAX_PASSED) break;
    }
    return 0;
  }

  /**
   * A piece of whoever has most to do; the one that it will come to last of those in which this machine is next, so that
   * no two take the same.
   */
  #furthestBehind(now: number, elsewhere: Bitmap, pace: number): number | undefined {
    let most = BEHIND_MS;
    let found: number | undefined;
    for (const taker of this.#takers.values()) {
      // How fast it is shows when it has delivered something; until then there is STALL_MS.
      if (taker.named.count < 2 || taker.delivered === 0) continue;
      const perPiece = (now - taker.since) / taker.delivered;
      const behind = perPiece * taker.named.count;
      if (behind <= most || perPiece <= SLOWER * pace) continue;
      const next = (piece: number) => this.#order(piece).every((each) => each === taker || each.gone);
      const last = [...taker.named].slice(1).findLast((piece) => elsewhere.has(piece) && next(piece));
      if (last === undefined) continue;
      most = behind;
      found = last;
    }
    return found;
  }

  #order(piece: number): readonly Taker[] {
    this.#before ??= [];
    let order = this.#before[piece];
    if (order === undefined) {
      const own = (this.#own ??= this.#weights(this.#self))[piece] ?? 0n;
      const weight = (taker: Taker) => taker.weights[piece] ?? 0n;
      order = [...this.#takers.values()].filter((taker) => weight(taker) > own);
      order.sort((a, b) => (weight(a) > weight(b) ? -1 : 1));
      this.#before[piece] = order;
    }
    return order;
  }

  #weights(peer: string): BigUint64Array {
    return BigUint64Array.from({ length: this.#pieces }, (_, piece) => this.#weigh(piece, peer));
  }
}
