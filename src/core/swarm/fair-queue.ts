/** One queue for each peer, served in turn, so that a peer that asks for much does not delay the others. Pure. */
export class FairQueue<K, T> {
  /** No list is empty. The order of keys is the order of turns. */
  readonly #lists = new Map<K, T[]>();

  length(key: K): number {
    return this.#lists.get(key)?.length ?? 0;
  }

  push(key: K, item: T): void {
    const list = this.#lists.get(key);
    if (list === undefined) this.#lists.set(key, [item]);
    else list.push(item);
  }

  /** Whose turn it is among those that may have one now. It stays theirs until `served`. */
  turn(mayHave: (key: K) => boolean): K | undefined {
    for (const key of this.#lists.keys()) if (mayHave(key)) return key;
    return undefined;
  }

  /** The peer has had its turn: all others come before it. */
  served(key: K): void {
    const list = this.#lists.get(key);
    if (list === undefined) return;
    this.#lists.delete(key);
    this.#lists.set(key, list);
  }

  peek(key: K): T | undefined {
    return this.#lists.get(key)?.[0];
  }

  shift(key: K): T | undefined {
    const list = this.#lists.get(key);
    const item = list?.shift();
    if (list?.length === 0) this.#lists.delete(key);
    return item;
  }

  /** Removes a peer's items that match, in order. */
  take(key: K, matches: (item: T) => boolean): T[] {
    const taken: T[] = [];
    const left: T[] = [];
    for (const item of this.#lists.get(key) ?? []) (matches(item) ? taken : left).push(item);
    if (left.length === 0) this.#lists.delete(key);
    else if (taken.length > 0) this.#lists.set(key, left);
    return taken;
  }

  drop(key: K): void {
    this.#lists.delete(key);
  }
}
