/**
 * Which of the files that APT wants are fetched into its targets now, and which requests are handed back to it.
 *
 * APT has at most Acquire::Max-Pipeline-Depth requests outstanding, ten unless configured. A request that is answered
 * by a redirection to its own URI is put at the end of APT's queue and frees its place, so all of the queue passes by
 * in a few milliseconds and the daemon learns of it as a whole. Later the same brings up what has arrived when the
 * requests that are outstanding wait for something else.
 */

export interface Queued {
  readonly uri: string;
  /** APT waits for an answer; else it was handed back and will come again. */
  outstanding: boolean;
  /** It can be fetched without waiting. */
  ready: boolean;
  /** It is being fetched into its target. */
  fetching: boolean;
  /** Small enough that there is nothing to gain from writing it while it arrives. */
  readonly small: boolean;
}

/** Files that are written at once: what is ready comes as fast as it can be written. */
const MAX_FETCHING = 8;
/** Of these, files that are still on their way: written as they come, so that little is left to do at the end. */
const MAX_ARRIVING = 4;

export class Queue<T extends Queued> {
  readonly #depth: number;
  readonly #items = new Map<string, T>();
  readonly #outstanding = new Set<T>();
  #fetching = 0;
  #arriving = 0;
  /** Ready, and not outstanding. */
  #returning = 0;
  /** APT's queue has not passed by since it last sent something new. */
  #unseen = false;
  /** Requests handed back since one was fetched: in vain if APT has given up what is ready. */
  #turns = 0;

  constructor(depth: number) {
    this.#depth = depth;
  }

  get size(): number {
    return this.#items.size;
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  get fetching(): number {
    return this.#fetching;
  }

  find(uri: string): T | undefined {
    return this.#items.get(uri);
  }

  /** APT asks for it for the first time. */
  add(item: T): void {
    this.#items.set(item.uri, item);
    this.#outstanding.add(item);
    this.#unseen = true;
  }

  /** APT asks for it again. */
  returned(item: T): void {
    if (item.outstanding) return;
    item.outstanding = true;
    this.#outstanding.add(item);
    this.#unseen = false;
    if (item.ready) this.#returning -= 1;
  }

  arrived(item: T): void {
    if (item.ready || this.#items.get(item.uri) !== item) return;
    item.ready = true;
    if (item.fetching) this.#arriving -= 1;
    if (!item.outstanding) this.#returning += 1;
  }

  /** It has been answered for good. */
  remove(item: T): void {
    if (this.#items.get(item.uri) !== item) return;
    if (item.fetching) {
      this.#fetching -= 1;
      if (!item.ready) this.#arriving -= 1;
    }
    if (!item.outstanding && item.ready) this.#returning -= 1;
    this.#items.delete(item.uri);
    this.#outstanding.delete(item);
  }

  /** Files to begin with now: those that are ready, then those that APT wants first. */
  start(): T[] {
    const begun: T[] = [];
    // the places of what is being fetched do not help to see the rest of APT's queue
    const most = this.#unseen && this.#outstanding.size >= this.#depth ? Math.ceil(this.#depth / 4) : MAX_FETCHING;
    for (const ready of [true, false]) {
      for (const item of this.#outstanding) {
        if (this.#fetching >= most || (!ready && this.#arriving >= MAX_ARRIVING)) break;
        if (item.fetching || item.ready !== ready || (!ready && item.small)) continue;
        item.fetching = true;
        this.#fetching += 1;
        if (!ready) this.#arriving += 1;
        this.#turns = 0;
        begun.push(item);
      }
    }
    return begun;
  }

  /**
   * What arrived long ago and does not come up any more, though all of APT's queue has passed by: APT has given it up.
   * The caller removes it.
   */
  abandoned(): T[] {
    if (this.#turns <= this.#items.size + this.#depth) return [];
    this.#turns = 0;
    return [...this.#items.values()].filter((item) => item.ready && !item.outstanding);
  }

  /** Requests to hand back, so that APT sends others. */
  handBack(): T[] {
    if (this.#outstanding.size < this.#depth) return [];
    if (!this.#unseen && this.#returning === 0) return [];
    const idle = [...this.#outstanding].filter((item) => !item.fetching && (this.#unseen || !item.ready));
    for (const item of idle) {
      item.outstanding = false;
      this.#outstanding.delete(item);
      if (item.ready) this.#returning += 1;
    }
    if (!this.#unseen) this.#turns += idle.length;
    return idle;
  }
}
