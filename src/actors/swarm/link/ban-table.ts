/**
 * Who may not connect for a while. A ban is for an address together with a peer id, because others may share the
 * address (NAT, several daemons on one machine); an address from which several were banned is banned as a whole, so
 * that an offender with ever new peer ids does not go on for ever.
 */
import { LruMap } from '../../../core/swarm/lru-map.ts';
import type { PeerKey } from '../protocol.ts';

export interface Ban extends PeerKey {
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

interface Address {
  bans: number;
  /** Lesser offences of all its peers, and by peer id. */
  total: number;
  readonly offences: Map<string, number>;
  /** Moves with each ban. */
  until: number;
}

/** Entries of each table; the oldest are forgotten first. */
const MOST = 4096;
/** Bans of different peer ids of one address. */
const BANS_OF_ADDRESS = 3;
/** Offences that may be accidents: this one too many is a ban, and so many more with ever new peer ids one of the address. */
const OFFENCES = 3;
const OFFENCES_OF_ADDRESS = BANS_OF_ADDRESS * OFFENCES;
const MOST_OFFENDERS = 16;

export class BanTable {
  readonly #banMs: number;
  readonly #bans = new LruMap<string, Ban>({ entries: MOST });
  readonly #addresses = new LruMap<string, Address>({ entries: MOST });
  #total = 0;

  constructor(banMs: number) {
    this.#banMs = banMs;
  }

  /** Bans so far, those that are over among them. */
  get total(): number {
    return this.#total;
  }

  ban(key: PeerKey, reason: string, now: number): void {
    if (this.#current(key, now) !== undefined) return;
    this.#total += 1;
    this.#bans.set(keyOf(key), { ...key, reason, until: now + this.#banMs });
    const address = this.#address(key.address, now);
    address.bans += 1;
    address.until = now + this.#banMs;
  }

  /** Notes an offence; true when it was one too many and the peer is banned. */
  offence(key: PeerKey, reason: string, now: number): boolean {
    const entry = this.#address(key.address, now);
    const { offences } = entry;
    entry.total += 1;
    const count = (offences.get(key.peerId) ?? 0) + 1;
    if (offences.size < MOST_OFFENDERS || offences.has(key.peerId)) offences.set(key.peerId, count);
    if (entry.total === OFFENCES_OF_ADDRESS) entry.bans = BANS_OF_ADDRESS;
    else if (count < OFFENCES) return false;
    this.ban(key, reason, now);
    return true;
  }

  /** The reason why this peer may not connect; before its id is known, whether nobody of the address may. */
  reason(address: string, peerId: string | undefined, now: number): string | undefined {
    const entry = this.#addresses.get(address);
    if (entry !== undefined && entry.until > now && entry.bans >= BANS_OF_ADDRESS) {
      return 'too many peers of this address were banned';
    }
    return peerId === undefined ? undefined : this.#current({ address, peerId }, now)?.reason;
  }

  #current(key: PeerKey, now: number): Ban | undefined {
    const ban = this.#bans.get(keyOf(key));
    return ban !== undefined && ban.until > now ? ban : undefined;
  }

  #address(address: string, now: number): Address {
    const known = this.#addresses.get(address);
    if (known !== undefined && known.until > now) return known;
    const entry = { bans: 0, total: 0, offences: new Map<string, number>(), until: now + this.#banMs };
    this.#addresses.set(address, entry);
    return entry;
  }
}

function keyOf({ address, peerId }: PeerKey): string {
  return `${address} ${peerId}`;
}
