/** Which connections are let in: by number, by address, and by how often an address comes. */
import type { Clock } from '../../../core/clock.ts';
import { LruMap } from '../../../core/swarm/lru-map.ts';
import { keysOf } from './address-keys.ts';
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
  /** Connections and links by address and by network. */
  readonly #open = new Map<string, number>();
  readonly #rates = new LruMap<string, Allowance>({ entries: MOST_RATES });
  /** Incoming ones: nobody can take the places of those that this side opens. */
  #total = 0;
  #handshakes = 0;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /** Why an incoming connection is not taken, cheap enough to be asked thousands of times a second. */
  refuseIncoming(address: string): LinkFault | undefined {
    const { limits, clock } = this.#deps;
    const now = clock.now();
    for (const key of keysOf(address)) {
      const share = key === address ? 1 : limits.linksPerNetwork / limits.linksPerAddress;
      let rate = this.#rates.get(key);
      if (rate === undefined) {
        rate = new Allowance(limits.connectBurst * share, limits.connectsPerSecond * share, now);
        this.#rates.set(key, rate);
      }
      if (!rate.take(1, now)) return flood('connects too often');
    }
    if (this.#total >= limits.links) return flood(`${limits.links} links are open`);
    if (this.#handshakes >= limits.handshakes) return flood(`${limits.handshakes} handshakes are under way`);
    return this.#refuse(address, now);
  }

  refuseOutgoing(address: string): LinkFault | undefined {
    return this.#refuse(address, this.#deps.clock.now());
  }

  /** A connection begins its handshakes. */
  began(address: string, incoming: boolean): void {
    this.#total += Number(incoming);
    this.#handshakes += Number(incoming);
    for (const key of keysOf(address)) this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
  }

  /** The connection has become a link. */
  linked(incoming: boolean): void {
    this.#handshakes -= Number(incoming);
  }

  ended(address: string, incoming: boolean, wasLinked: boolean): void {
    this.#total -= Number(incoming);
    if (!wasLinked) this.#handshakes -= Number(incoming);
    for (const key of keysOf(address)) {
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left > 0) this.#open.set(key, left);
      else this.#open.delete(key);
    }
  }

  #refuse(address: string, now: number): LinkFault | undefined {
    const { limits, bans } = this.#deps;
    const reason = bans.reason(address, undefined, now);
    if (reason !== undefined) return { kind: 'banned', message: reason };
    for (const key of keysOf(address)) {
      const most = key === address ? limits.linksPerAddress : limits.linksPerNetwork;
      if ((this.#open.get(key) ?? 0) >= most) return flood(`${most} links with ${key} are open`);
    }
    return undefined;
  }
}

function flood(message: string): LinkFault {
  return { kind: 'flood', message };
}
