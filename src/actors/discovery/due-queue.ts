/**
 * Works through torrents one at a time, each again when it is due: so that many torrents do not ask one tracker, or the
 * DHT, all at once, and a slow one holds up nobody else.
 */
import type { Clock } from '../../core/clock.ts';
import type { InfoHash } from '../../core/ids.ts';

export interface Turn {
  /** Milliseconds until this torrent's next turn. */
  readonly againMs: number;
  /** Milliseconds in which no torrent has a turn. */
  readonly pauseMs?: number;
}

export interface DueQueueDeps {
  readonly clock: Clock;
  /** Must not reject. */
  readonly work: (torrent: InfoHash) => Promise<Turn>;
}

export class DueQueue {
  readonly #deps: DueQueueDeps;
  readonly #due = new Map<InfoHash, number>();
  #timer: { clear(): void } | undefined;
  #working = false;
  #pausedUntil = 0;
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

  stop(): void {
    this.#stopped = true;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #plan(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    if (this.#stopped || this.#working) return;
    const next = this.#next();
    if (next === undefined) return;
    const at = Math.max(next.due, this.#pausedUntil);
    this.#timer = this.#deps.clock.setTimeout(() => this.#turn(), Math.max(0, at - this.#deps.clock.now()));
  }

  #next(): { id: InfoHash; due: number } | undefined {
    let first: { id: InfoHash; due: number } | undefined;
    for (const [id, due] of this.#due) if (first === undefined || due < first.due) first = { id, due };
    return first;
  }

  #turn(): void {
    const { clock, work } = this.#deps;
    const next = this.#next();
    if (next === undefined || this.#working) return;
    if (next.due > clock.now()) {
      this.#plan();
      return;
    }
    this.#working = true;
    void work(next.id).then(({ againMs, pauseMs = 0 }) => {
      const now = clock.now();
      this.#working = false;
      if (this.#due.has(next.id)) this.#due.set(next.id, now + againMs);
      this.#pausedUntil = now + pauseMs;
      this.#plan();
    });
  }
}
