/**
 * Blocks that were asked of one peer: which answers are awaited, until when, and which may still come though nobody
 * waits for them any more. An answer to nothing is the peer's fault.
 */
import type { Clock } from '../../../core/clock.ts';
import { keyOf } from './block-ref.ts';
import type { LinkLimits } from './link-limits.ts';
import type { AnswerTime, BlockRef } from './link.ts';

interface Asked {
  readonly block: BlockRef;
  readonly at: number;
  readonly time: AnswerTime;
}

interface Late {
  count: number;
  readonly until: number;
}

export interface OwnRequestsDeps {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  timedOut(block: BlockRef): void;
}

/** Blocks given up that are remembered; each was asked for by this side. */
const MOST_LATE = 16_384;

export class OwnRequests {
  readonly #deps: OwnRequestsDeps;
  readonly #asked = new Map<string, Asked>();
  /** In the order of giving up. */
  readonly #late = new Map<string, Late>();
  #lastBlockAt = 0;
  #timer: { clear(): void } | undefined;
  #timerAt = Infinity;

  constructor(deps: OwnRequestsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#asked.size;
  }

  /** False when the block is asked for already. */
  add(block: BlockRef, time: AnswerTime = { ms: this.#deps.limits.requestMs, since: 'last-block' }): boolean {
    const key = keyOf(block);
    if (this.#asked.has(key)) return false;
    const asked = { block, at: this.#deps.clock.now(), time };
    this.#asked.set(key, asked);
    this.#wake(this.#deadline(asked));
    return true;
  }

  /** A block may come: it is awaited, or was given up not long ago. */
  expects(block: BlockRef): boolean {
    const key = keyOf(block);
    return this.#asked.has(key) || (this.#late.get(key)?.until ?? 0) > this.#deps.clock.now();
  }

  /** A block came: awaited, given up not long ago, or never asked for. */
  came(block: BlockRef): 'awaited' | 'late' | 'unasked' {
    const key = keyOf(block);
    if (this.#asked.delete(key)) {
      this.#lastBlockAt = this.#deps.clock.now();
      this.#idle();
      return 'awaited';
    }
    return this.#wasLate(key) ? 'late' : 'unasked';
  }

  /** A reject came. After a cancel it is the answer to what was cancelled, not to what was asked again. */
  refused(block: BlockRef): 'awaited' | 'late' | 'unasked' {
    const key = keyOf(block);
    if (this.#wasLate(key)) return 'late';
    if (!this.#asked.delete(key)) return 'unasked';
    this.#idle();
    return 'awaited';
  }

  /** False when it was not asked for, or is answered. */
  giveUp(block: BlockRef): boolean {
    const key = keyOf(block);
    if (!this.#asked.delete(key)) return false;
    const now = this.#deps.clock.now();
    const count = (this.#late.get(key)?.count ?? 0) + 1;
    this.#late.delete(key);
    this.#late.set(key, { count, until: now + this.#deps.limits.lateMs });
    for (const [oldest, { until }] of this.#late) {
      if (until > now && this.#late.size <= MOST_LATE) break;
      this.#late.delete(oldest);
    }
    this.#idle();
    return true;
  }

  stop(): void {
    this.#asked.clear();
    this.#late.clear();
    this.#idle();
  }

  #wasLate(key: string): boolean {
    const late = this.#late.get(key);
    if (late === undefined) return false;
    if (late.count > 1) late.count -= 1;
    else this.#late.delete(key);
    return late.until > this.#deps.clock.now();
  }

  #deadline({ at, time: { ms, since } }: Asked): number {
    if (since === 'request') return at + ms;
    return Math.min(Math.max(at, this.#lastBlockAt) + ms, at + this.#deps.limits.longestRequestMs);
  }

  #wake(at: number): void {
    if (at >= this.#timerAt) return;
    this.#timer?.clear();
    this.#timerAt = at;
    this.#timer = this.#deps.clock.setTimeout(() => this.#look(), Math.max(1, at - this.#deps.clock.now()));
  }

  #idle(): void {
    if (this.#asked.size > 0) return;
    this.#timer?.clear();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #look(): void {
    const now = this.#deps.clock.now();
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const over = [...this.#asked.values()].filter((asked) => this.#deadline(asked) <= now);
    for (const { block } of over) if (this.giveUp(block)) this.#deps.timedOut(block);
    let next = Infinity;
    for (const asked of this.#asked.values()) next = Math.min(next, this.#deadline(asked));
    if (next < Infinity) this.#wake(next);
  }
}
