/**
 * Asks that wait for a reply, and their deadlines. A timer for each ask would cost more than the ask, so asks of one
 * deadline stand in one list, which is in order of expiry by itself, and each list has at most one timer.
 */
import type { Clock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';

/** The longest that a timer takes; a deadline rounded up beyond it is waited for twice. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One ask: settled exactly once, by its reply, its deadline or the end of the actor. */
export interface Ask {
  readonly kind: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: DebtorrentError) => void;
}

/** Links of the list; an entry is in no list once it is settled. */
class Entry implements Ask {
  readonly kind: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: DebtorrentError) => void;
  readonly due: number;
  list: DeadlineList | undefined;
  previous: Entry | undefined;
  next: Entry | undefined;

  constructor(
    kind: string,
    resolve: (value: unknown) => void,
    reject: (error: DebtorrentError) => void,
    due: number,
    list: DeadlineList,
  ) {
    this.kind = kind;
    this.resolve = resolve;
    this.reject = reject;
    this.due = due;
    this.list = list;
  }
}

interface DeadlineList {
  readonly ms: number;
  first: Entry | undefined;
  last: Entry | undefined;
  timer: { clear(): void } | undefined;
}

export interface PendingDeps {
  /** The actor's name, for messages. */
  readonly name: string;
  readonly clock: Clock;
}

export class PendingAsks {
  readonly #deps: PendingDeps;
  readonly #lists = new Map<number, DeadlineList>();
  #size = 0;

  constructor(deps: PendingDeps) {
    this.#deps = deps;
  }

  /** Asks that are neither answered nor past their deadline. */
  get size(): number {
    return this.#size;
  }

  open(
    kind: string,
    deadlineMs: number,
    resolve: (value: unknown) => void,
    reject: (error: DebtorrentError) => void,
  ): Ask {
    const ms = roundUp(deadlineMs);
    let list = this.#lists.get(ms);
    if (list === undefined) {
      list = { ms, first: undefined, last: undefined, timer: undefined };
      this.#lists.set(ms, list);
    }
    const entry = new Entry(kind, resolve, reject, this.#deps.clock.now() + ms, list);
    entry.previous = list.last;
    if (list.last === undefined) list.first = entry;
    else list.last.next = entry;
    list.last = entry;
    this.#size += 1;
    if (list.timer === undefined) this.#arm(list, ms);
    return entry;
  }

  isOpen(ask: Ask): boolean {
    return (ask as Entry).list !== undefined;
  }

  resolve(ask: Ask, value: unknown): void {
    if (this.#remove(ask as Entry)) ask.resolve(value);
  }

  reject(ask: Ask, error: DebtorrentError): void {
    if (this.#remove(ask as Entry)) ask.reject(error);
  }

  /** Rejects everything and clears the timers; asks may be opened again afterwards. */
  rejectAll(error: DebtorrentError): void {
    for (const list of this.#lists.values()) {
      list.timer?.clear();
      list.timer = undefined;
      while (list.first !== undefined) this.reject(list.first, error);
    }
    this.#lists.clear();
  }

  #arm(list: DeadlineList, ms: number): void {
    list.timer = this.#deps.clock.setTimeout(
      () => this.#expire(list),
      Math.min(Math.max(1, Math.ceil(ms)), MAX_TIMER_MS),
    );
  }

  #expire(list: DeadlineList): void {
    list.timer = undefined;
    const now = this.#deps.clock.now();
    while (list.first !== undefined && list.first.due <= now) {
      const { kind } = list.first;
      const message = `${this.#deps.name} did not answer ${kind} within ${list.ms} ms`;
      this.reject(list.first, new DebtorrentError('ASK_TIMEOUT', message));
    }
    if (list.first === undefined) this.#lists.delete(list.ms);
    else this.#arm(list, list.first.due - now);
  }

  #remove(entry: Entry): boolean {
    const { list } = entry;
    if (list === undefined) return false;
    if (entry.previous === undefined) list.first = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) list.last = entry.previous;
    else entry.next.previous = entry.previous;
    entry.list = undefined;
    entry.previous = undefined;
    entry.next = undefined;
    this.#size -= 1;
    return true;
  }
}

/** To six significant bits, at most 1/32 more: bounds the number of lists when every ask has its own deadline. */
function roundUp(ms: number): number {
  if (ms < 64) return ms;
  const step = 2 ** (26 - Math.clz32(ms));
  return Math.ceil(ms / step) * step;
}
