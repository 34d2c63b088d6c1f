/**
 * Which addresses to dial, and when: what discovery found, what became of earlier attempts. Pure; times are
 * milliseconds. Every list is bounded, so whoever reports addresses, a hostile tracker included, costs a bounded number
 * of attempts.
 */
import type { InfoHash } from '../ids.ts';

export interface DialAddress {
  readonly host: string;
  readonly port: number;
}

export interface Dial extends DialAddress {
  /** The torrent that the handshake names. */
  readonly torrent: InfoHash;
}

interface Entry extends DialAddress {
  readonly torrents: Set<InfoHash>;
  /** Those that the peer does not share, as far as it was asked since all were named last. */
  readonly unshared: Set<InfoHash>;
  /** Addresses that the configuration names are never forgotten and tried more often. */
  fixed: boolean;
  failures: number;
  /** There was a link with it, so it may have gone for some time only. */
  met: boolean;
  linkedAt: number;
  nextAt: number;
  state: 'idle' | 'dialling' | 'linked';
}

export interface DialBookOptions {
  /** A number in [0, 1). */
  random(): number;
  readonly maxEntries?: number;
  readonly maxDialling?: number;
}

const MAX_ENTRIES = 1_000;
const MAX_DIALLING = 8;
const MAX_TORRENTS = 64;
const FIRST_RETRY_MS = 2_000;
const FIXED_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 30 * 60_000;
/** Found addresses that never answered are forgotten after so many attempts, */
const MAX_FAILURES = 6;
/** and those of peers that there was a link with after an hour and a half: machines restart, sleep and move. */
const MAX_FAILURES_OF_MET = 12;
/** A link that ends sooner is as good as none, in milliseconds: who lets in and closes is not dialled every 2 s. */
const STEADY_MS = 30_000;
/** Where there is a link already that is not ours, in milliseconds until the next look whether it is still there. */
const LINKED_MS = 30_000;

const UNTRIED = { failures: 0, met: false, linkedAt: 0, nextAt: 0, state: 'idle' } as const;

export class DialBook {
  readonly #options: DialBookOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: DialBookOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Links that were opened by this side, and attempts. */
  get taken(): number {
    return [...this.#entries.values()].filter(({ state }) => state !== 'idle').length;
  }

  /** Notes addresses for a torrent. What is beyond the bound is left out, fixed addresses excepted. */
  found(torrent: InfoHash, addresses: readonly DialAddress[], fixed: boolean): void {
    for (const { host, port } of addresses) {
      const key = keyOf(host, port);
      let entry = this.#entries.get(key);
      if (entry === undefined) {
        if (!fixed && this.#entries.size >= (this.#options.maxEntries ?? MAX_ENTRIES) && !this.#dropOne()) return;
        entry = { host, port, torrents: new Set(), unshared: new Set(), fixed, ...UNTRIED };
        this.#entries.set(key, entry);
      }
      entry.fixed ||= fixed;
      if (entry.torrents.size < MAX_TORRENTS) entry.torrents.add(torrent);
    }
  }

  /**
   * Addresses to dial now, which count as being dialled from now on. Those of the configuration come first, whether
   * there is room for others or not; many of them that are switched off leave half of the attempts to others.
   */
  due(now: number, torrents: ReadonlySet<InfoHash>, room: number): Dial[] {
    const entries = [...this.#entries.values()];
    const dialling = entries.filter(({ state }) => state === 'dialling');
    const atOnce = this.#options.maxDialling ?? MAX_DIALLING;
    const most = atOnce - dialling.length;
    let fixedLeft = Math.ceil(atOnce / 2) - dialling.filter(({ fixed }) => fixed).length;
    let othersLeft = room;
    const dials: Dial[] = [];
    const inOrder = entries.toSorted((a, b) => Number(b.fixed) - Number(a.fixed) || a.failures - b.failures);
    for (const entry of inOrder) {
      if (dials.length >= most) break;
      if ((entry.fixed ? fixedLeft : othersLeft) <= 0) continue;
      if (entry.state !== 'idle' || entry.nextAt > now) continue;
      const torrent = unnamed(entry, torrents) ?? [...entry.torrents].find((id) => torrents.has(id));
      if (torrent === undefined) continue;
      if (entry.fixed) fixedLeft -= 1;
      else othersLeft -= 1;
      entry.state = 'dialling';
      dials.push({ host: entry.host, port: entry.port, torrent });
    }
    return dials;
  }

  linked({ host, port }: DialAddress, now: number): void {
    const entry = this.#entries.get(keyOf(host, port));
    if (entry === undefined) return;
    Object.assign(entry, { state: 'linked', met: true, linkedAt: now });
    entry.unshared.clear();
  }

  /** There was no need to dial: the peer there has opened a link itself. When that ends it is dialled. */
  isThere({ host, port }: DialAddress, now: number): void {
    const entry = this.#entries.get(keyOf(host, port));
    if (entry === undefined) return;
    Object.assign(entry, { state: 'idle', met: true, failures: 0, nextAt: now + this.#about(LINKED_MS) });
  }

  /**
   * Who answers there does not share the torrent that was named, and may share another: that one is named next, and to
   * addresses of the configuration at once. Others might have been reported to have somebody dialled often.
   */
  refused(dial: Dial, torrents: ReadonlySet<InfoHash>, now: number): void {
    const entry = this.#entries.get(keyOf(dial.host, dial.port));
    if (entry === undefined || entry.state === 'idle') return;
    entry.unshared.add(dial.torrent);
    const another = unnamed(entry, torrents) !== undefined;
    if (!another) entry.unshared.clear();
    if (another && entry.fixed) Object.assign(entry, { state: 'idle', nextAt: now });
    else this.ended(dial, now);
  }

  /** An attempt failed, or the link has ended. */
  ended({ host, port }: DialAddress, now: number): void {
    const key = keyOf(host, port);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.state === 'idle') return;
    if (entry.state === 'linked' && now - entry.linkedAt >= STEADY_MS) entry.failures = 0;
    entry.state = 'idle';
    entry.failures += 1;
    if (!entry.fixed && entry.failures > (entry.met ? MAX_FAILURES_OF_MET : MAX_FAILURES)) {
      this.#entries.delete(key);
      return;
    }
    const longest = entry.fixed ? FIXED_RETRY_MS : LONGEST_RETRY_MS;
    const wait = Math.min(FIRST_RETRY_MS * 2 ** (entry.failures - 1), longest);
    entry.nextAt = now + this.#about(wait);
  }

  /** Many machines that lost the same peer must not come back in step. */
  #about(ms: number): number {
    return ms * (0.75 + this.#options.random() / 2);
  }

  /** This machine is on another network, or was asleep: peers that it knows may be reached now. */
  renew(now: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'idle' || !(entry.met || entry.fixed)) continue;
      entry.failures = Math.min(entry.failures, 1);
      entry.nextAt = Math.min(entry.nextAt, now + this.#about(FIRST_RETRY_MS));
    }
  }

  /** Never dialled again: it is this machine itself, or banned. */
  forget({ host, port }: DialAddress): void {
    this.#entries.delete(keyOf(host, port));
  }

  #dropOne(): boolean {
    for (const [key, { fixed, state, failures }] of this.#entries) {
      if (fixed || state !== 'idle' || failures === 0) continue;
      this.#entries.delete(key);
      return true;
    }
    return false;
  }
}

/** A torrent of this machine that the peer was not asked for. */
function unnamed({ torrents, unshared }: Entry, own: ReadonlySet<InfoHash>): InfoHash | undefined {
  return [...torrents].find((id) => own.has(id) && !unshared.has(id));
}

function keyOf(host: string, port: number): string {
  return `${host} ${port}`;
}
