/** Which connections are let in: by number, by address, and by how often an address comes. */
import type { Clock } from '../../../core/clock.ts';
import { LruMap } from '../../../core/swarm/lru-map.ts';
import { Allowance } from './allowance.ts';
import type { BanTable } from './ban-table.ts';
import type { LinkLimits } from './link-limits.ts';
import type { LinkFault } from './link.ts';

export interface AdmissionDeps {
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly bans: BanTable;
}

/** Addresses whose rate is remembered; who has been forgotten starts anew. */
const MOST_RATES = 8192;

export class Admission {
  readonly #deps: AdmissionDeps;
  /** Connections and links by address. */
  readonly #open = new Map<string, number>();
  readonly #rates = new LruMap<string, Allowance>({ entries: MOST_RATES });
  #total = 0;
  #handshakes = 0;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /** Why an incoming connection is not taken, cheap enough to be asked thousands of times a second. */
  refuseIncoming(address: string): LinkFault | undefined {
    const { limits, clock } = this.#deps;
    const now = clock.now();
    let rate = this.#rates.get(address);
    if (rate === undefined) {
      rate = new Allowance(limits.connectBurst, limits.connectsPerSecond, now);
      this.#rates.set(address, rate);
    }
    if (!rate.take(1, now)) return flood('connects too often');
    return this.#refuse(address, now);
  }

  refuseOutgoing(address: string): LinkFault | undefined {
    return this.#refuse(address, this.#deps.clock.now());
  }

  /** A connection begins its handshakes. */
  began(address: string): void {
    this.#total += 1;
    this.#handshakes += 1;
    this.#open.set(address, (this.#open.get(address) ?? 0) + 1);
  }

  /** The connection has become a link. */
  linked(): void {
    this.#handshakes -= 1;
  }

  ended(address: string, wasLinked: boolean): void {
    this.#total -= 1;
    if (!wasLinked) this.#handshakes -= 1;
    const left = (this.#open.get(address) ?? 1) - 1;
    if (left > 0) this.#open.set(address, left);
    else this.#open.delete(address);
  }

  #refuse(address: string, now: number): LinkFault | undefined {
    const { limits, bans } = this.#deps;
    const reason = bans.reason(address, undefined, now);
    if (reason !== undefined) return { kind: 'banned', message: reason };
    if (this.#total >= limits.links) return flood(`${limits.links} links are open`);
    if (this.#handshakes >= limits.handshakes) return flood(`${limits.handshakes} handshakes are under way`);
    if ((this.#open.get(address) ?? 0) >= limits.linksPerAddress) {
      return flood(`${limits.linksPerAddress} links with this address are open`);
    }
    return undefined;
  }
}

function flood(message: string): LinkFault {
  return { kind: 'flood', message };
}
