/** Tells each link once in a while of the other peers of its torrents (BEP 11). */
import type { Clock } from '../../core/clock.ts';
import { exchangeDelta, peersToTell } from '../../core/swarm/peer-exchange.ts';
import type { PeerAddress } from '../../core/swarm/peer-address.ts';
import type { Link } from './link/link.ts';

export interface ExchangeRoundsDeps {
  links(): readonly Link[];
  /** Where this machine has reached the peer, if it has; where the peer says that it listens nothing may be. */
  dialledPort(link: Link): number | undefined;
  readonly clock: Clock;
}

/** BEP 11 allows one message a minute. */
const ROUND_MS = 65_000;

export class ExchangeRounds {
  readonly #deps: ExchangeRoundsDeps;
  readonly #told = new WeakMap<Link, readonly PeerAddress[]>();
  #timer: { clear(): void } | undefined;

  constructor(deps: ExchangeRoundsDeps) {
    this.#deps = deps;
    this.#schedule();
  }

  stop(): void {
    this.#timer?.clear();
  }

  #schedule(): void {
    this.#timer = this.#deps.clock.setTimeout(() => {
      this.#round();
      this.#schedule();
    }, ROUND_MS);
  }

  #round(): void {
    const { links, dialledPort } = this.#deps;
    const all = links();
    const peers = all.flatMap((link) => {
      const port = dialledPort(link);
      return port === undefined ? [] : [{ host: link.address, port, common: link.common }];
    });
    for (const link of all) {
      const target = { address: link.address, port: dialledPort(link) ?? link.listenPort, common: link.common };
      const now = peersToTell(target, peers);
      const { added } = exchangeDelta(this.#told.get(link) ?? [], now);
      if (added.length === 0) continue;
      this.#told.set(link, now);
      link.sendPeers(added);
    }
  }
}
