/** A map that forgets what was not used for longest, bounded in entries and in their weight. Pure. */
export interface LruBounds<V> {
  readonly entries: number;
  /** Sum of weights; no bound unless given. */
  readonly weight?: number;
  weigh?(value: V): number;
}

export class LruMap<K, V> {
  /** In order of use, least recent first. */
  readonly #map = new Map<K, V>();
  readonly #bounds: LruBounds<V>;
  #weight = 0;

  constructor(bounds: LruBounds<V>) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#map.size;
  }

  /** Counts as a use. */
  get(key: K): V | undefined {
    const value = this.#map.get(key);
    if (value === undefined) return undefined;
    this.#map.delete(key);
    this.#map.set(key, value);
    return value;
  }

  /** What is heavier than the bound on weight is not kept. */
  set(key: K, value: V): void {
    this.delete(key);
    this.#map.set(key, value);
    this.#weight += this.#weigh(value);
    for (const oldest of this.#map.keys()) {
      if (this.#map.size <= this.#bounds.entries && this.#weight <= (this.#bounds.weight ?? Infinity)) break;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    const value = this.#map.get(key);
    if (value === undefined) return;
    this.#map.delete(key);
    this.#weight -= this.#weigh(value);
  }

  #weigh(value: V): number {
    return this.#bounds.weigh?.(value) ?? 0;
  }
}
