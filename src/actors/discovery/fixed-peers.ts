/** Peers of the configuration: reported for every torrent, again and again, in case they were down. */
import type { Clock } from '../../core/clock.ts';
import type { InfoHash } from '../../core/ids.ts';
import type { PeerAddress } from '../../core/swarm/peer-address.ts';
import { backOff } from './back-off.ts';
import type { DiscoverySource, Finder, Report } from './protocol.ts';

const FIRST_MS = 30_000;
const MOST_MS = 300_000;

export interface FixedPeersDeps {
  readonly peers: readonly PeerAddress[];
  readonly report: Report;
  readonly clock: Clock;
  readonly random: () => number;
}

export class FixedPeers implements Finder {
  readonly #deps: FixedPeersDeps;
  #torrents: readonly InfoHash[] = [];
  #timer: { clear(): void } | undefined;
  #rounds = 0;
  #found = 0;

  constructor(deps: FixedPeersDeps) {
    this.#deps = deps;
  }

  torrents(ids: readonly InfoHash[]): void {
    const known = new Set(this.#torrents);
    const added = ids.filter((id) => !known.has(id));
    this.#torrents = ids;
    if (added.length === 0) return;
    this.#report(added);
    this.#rounds = 0;
    this.#again();
  }

  status(): readonly DiscoverySource[] {
    return [{ via: 'fixed', name: 'fixed peers', state: 'working', found: this.#found }];
  }

  async stop(): Promise<void> {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #again(): void {
    const { clock, random } = this.#deps;
    this.#timer?.clear();
    this.#rounds += 1;
    this.#timer = clock.setTimeout(
      () => {
        this.#report(this.#torrents);
        this.#again();
      },
      backOff(this.#rounds, FIRST_MS, MOST_MS, random),
    );
  }

  #report(torrents: readonly InfoHash[]): void {
    const { peers, report } = this.#deps;
    for (const id of torrents) this.#found += report(id, peers, 'fixed', undefined);
  }
}
