/** Chokes and unchokes links as the choker says. */
import type { Clock } from '../../../core/clock.ts';
import { CHOKE_MS, Choker, chokerBounds } from '../../../core/swarm/choker.ts';
import type { Link } from '../link/link.ts';

export interface ChokingDeps {
  readonly clock: Clock;
  random(): number;
  /** Uploads have a limit. */
  readonly limited: boolean;
}

export class Choking {
  readonly #deps: ChokingDeps;
  readonly #choker: Choker<Link>;
  readonly #links = new Set<Link>();
  #timer: { clear(): void } | undefined;

  constructor(deps: ChokingDeps) {
    this.#deps = deps;
    this.#choker = new Choker({ ...chokerBounds(deps.limited), random: deps.random });
  }

  opened(link: Link): void {
    this.#links.add(link);
    this.interested(link);
    this.#timer ??= this.#deps.clock.setTimeout(() => this.#evaluate(), CHOKE_MS);
  }

  interested(link: Link): void {
    let interested = 0;
    for (const { peerInterested } of this.#links) if (peerInterested) interested += 1;
    if (link.amChoking && this.#choker.admits(link, interested)) link.choke(false);
  }

  closed(link: Link): void {
    this.#links.delete(link);
    this.#choker.remove(link);
    if (this.#links.size > 0) return;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #evaluate(): void {
    const peers = Array.from(this.#links, (link) => ({
      key: link,
      interested: link.peerInterested,
      gave: link.downBytes,
      got: link.upBytes,
    }));
    const unchoked = this.#choker.evaluate(peers, this.#deps.clock.now());
    // Who is choked first leaves room for who is not.
    for (const link of this.#links) if (!unchoked.has(link)) link.choke(true);
    for (const link of this.#links) if (unchoked.has(link) && link.amChoking) link.choke(false);
    this.#timer = this.#deps.clock.setTimeout(() => this.#evaluate(), CHOKE_MS);
  }
}
