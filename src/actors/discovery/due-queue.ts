/**
 * Works through torrents, a few at a time, each again when it is due: so that many torrents do not ask one tracker, or
 * the DHT, all at once, and a slow one holds up few others.
 */
import type { Clock } from '../../core/clock.ts';
import type { InfoHash } from '../../core/ids.ts';

export interface Turn {
  /** Milliseconds until this torrent's next turn. */
  readonly againMs: number;
  /** Milliseconds in which no torrent begins a turn. */
  readonly pauseMs?: number;
}

/** Between the beginnings of two turns. */
const SPACING_MS = 20;
const MAX_WAIT_MS = 2 ** 31 - 1;

export interface DueQueueDeps {
  readonly clock: Clock;
  /** Turns at the same time, now. */
  readonly parallel: () => number;
  /** Must not reject. */
  readonly work: (torrent: InfoHash) => Promise<Turn>;
}

export class DueQueue {
  readonly #deps: DueQueueDeps;
  readonly #due = new Map<InfoHash, number>();
  #timer: { clear(): void } | undefined;
  readonly #working = new Set<InfoHash>();
  #notBefore = 0;
  #stopped = false;

  constructor(deps: DueQueueDeps) {
    this.#deps = deps;
  }

  get torrents(): readonly InfoHash[] {
    return [...this.#due.keys()];
  }

  /** Whole state; torrents that are new are due at once. Returns those that are gone. */
  set(ids: readonly InfoHash[]): readonly InfoHash[] {
    const now = this.#deps.clock.now();
    const wanted = new Set(ids);
    const gone = this.torrents.filter((id) => !wanted.has(id));
    for (const id of gone) this.#due.delete(id);
    for (const id of wanted) if (!this.#due.has(id)) this.#due.set(id, now);
    this.#plan();
    return gone;
  }

  /** These are due after so many milliseconds each at the latest, also where a pause would have held them up. */
  hurry(ids: readonly InfoHash[], wait: (id: InfoHash) => number): void {
    const now = this.#deps.clock.now();
    for (const id of ids) {
      const at = now + wait(id);
      this.#notBefore = Math.min(this.#notBefore, at);
      this.#due.set(id, Math.min(this.#due.get(id) ?? at, at));
    }
    this.#plan();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #plan(): void {
    const { clock, parallel } = this.#deps;
    this.#timer?.clear();
    this.#timer = undefined;
    if (this.#stopped || this.#working.size >= parallel()) return;
    const next = this.#next();
    if (next === undefined) return;
    const wait = Math.max(next.due, this.#notBefore) - clock.now();
    // longer waits would be cut to a millisecond by the system
    this.#timer = clock.setTimeout(() => this.#turn(), Math.min(Math.max(0, wait), MAX_WAIT_MS));
  }

  #next(): { id: InfoHash; due: number } | undefined {
    let first: { id: InfoHash; due: number } | undefined;
    for (const [id, due] of this.#due) {
      if (!this.#working.has(id) && (first === undefined || due < first.due)) first = { id, due };
    }
    return first;
  }

  #turn(): void {
    const { clock, work } = this.#deps;
    const next = this.#next();
    const now = clock.now();
    if (next !== undefined && next.due <= now && this.#notBefore <= now) {
      const { id } = next;
      this.#working.add(id);
      this.#notBefore = now + SPACING_MS;
      void work(id).then(({ againMs, pauseMs = 0 }) => {
        const end = clock.now();
        this.#working.delete(id);
        if (this.#due.has(id)) this.#due.set(id, end + againMs);
        this.#notBefore = Math.max(this.#notBefore, end + pauseMs);
        this.#plan();
      });
    }
    this.#plan();
  }
}
