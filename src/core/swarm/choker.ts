/**
 * Which peers may ask for blocks. As long as everybody can be served, everybody is. Else a few have slots: those who
 * gave this machine most lately, and among those who gave nothing, whoever got least from it lately, so that a machine
 * that only seeds goes round; one more is tried at random and changed every 30 s (BEP 3). Pieces of small files are
 * outside of this (small-leases.ts). Pure.
 */
export interface ChokerOptions {
  /** Peers that are served at once, the optimistic one included. */
  readonly slots: number;
  /** Nobody is choked while no more peers are interested than this. */
  readonly everybodyUpTo: number;
  /** In [0, 1). */
  random(): number;
}

export interface ChokerPeer<K> {
  readonly key: K;
  readonly interested: boolean;
  /** Bytes that it gave this machine since the link opened. */
  readonly gave: number;
  /** Bytes that it got. */
  readonly got: number;
}

interface Known {
  gave: number;
  got: number;
  /** Bytes of late: halved at each evaluation. */
  gaveLately: number;
  gotLately: number;
  /** When it was last given or refused a slot; who waits longer comes first. */
  since: number;
}

export const CHOKE_MS = 10_000;
export const OPTIMISTIC_MS = 30_000;

/** With an upload limit a few are served well; without one, as many as are sure to keep the machine busy. */
export function chokerBounds(limited: boolean): { slots: number; everybodyUpTo: number } {
  return limited ? { slots: 8, everybodyUpTo: 8 } : { slots: 50, everybodyUpTo: 50 };
}

export class Choker<K> {
  readonly #options: ChokerOptions;
  readonly #known = new Map<K, Known>();
  #chosen = new Set<K>();
  #optimistic: { readonly key: K; readonly since: number } | undefined;

  constructor(options: ChokerOptions) {
    this.#options = options;
  }

  /**
   * Who is to be unchoked now; to be called every 10 s with all peers. Peers that are not interested are unchoked as
   * long as everybody is, so that their first request finds the door open.
   */
  evaluate(peers: readonly ChokerPeer<K>[], now: number): ReadonlySet<K> {
    this.#note(peers, now);
    const interested = peers.filter((peer) => peer.interested).map((peer) => peer.key);
    if (interested.length <= this.#options.everybodyUpTo) {
      this.#optimistic = undefined;
      return this.#choose(new Set(peers.map((peer) => peer.key)), now);
    }
    const ranked = interested.toSorted((a, b) => this.#compare(a, b));
    const chosen = new Set(ranked.slice(0, this.#options.slots - 1));
    const rest = ranked.filter((key) => !chosen.has(key));
    const optimistic = this.#pickOptimistic(rest, now);
    if (optimistic !== undefined) chosen.add(optimistic);
    return this.#choose(chosen, now);
  }

  /** Whether a peer that comes, or becomes interested, between two evaluations may have a slot at once. */
  admits(key: K, interested: number): boolean {
    if (this.#chosen.has(key) || interested <= this.#options.everybodyUpTo) {
      this.#chosen.add(key);
      return true;
    }
    return false;
  }

  /** The peer has left. */
  remove(key: K): void {
    this.#known.delete(key);
    this.#chosen.delete(key);
    if (this.#optimistic?.key === key) this.#optimistic = undefined;
  }

  #note(peers: readonly ChokerPeer<K>[], now: number): void {
    for (const { key, gave, got } of peers) {
      const known = this.#known.get(key) ?? { gave: 0, got: 0, gaveLately: 0, gotLately: 0, since: now };
      known.gaveLately = known.gaveLately / 2 + gave - known.gave;
      known.gotLately = known.gotLately / 2 + got - known.got;
      known.gave = gave;
      known.got = got;
      this.#known.set(key, known);
    }
  }

  #choose(chosen: Set<K>, now: number): ReadonlySet<K> {
    for (const [key, known] of this.#known) if (chosen.has(key) !== this.#chosen.has(key)) known.since = now;
    this.#chosen = chosen;
    return new Set(chosen);
  }

  #compare(a: K, b: K): number {
    const [one, other] = [this.#known.get(a) as Known, this.#known.get(b) as Known];
    return other.gaveLately - one.gaveLately || one.gotLately - other.gotLately || one.since - other.since;
  }

  #pickOptimistic(rest: readonly K[], now: number): K | undefined {
    const current = this.#optimistic;
    if (current !== undefined && now - current.since < OPTIMISTIC_MS && rest.includes(current.key)) return current.key;
    const others = rest.filter((key) => key !== current?.key);
    const key = (others.length > 0 ? others : rest)[Math.floor(this.#options.random() * Math.max(1, others.length))];
    this.#optimistic = key === undefined ? undefined : { key, since: now };
    return key;
  }
}
