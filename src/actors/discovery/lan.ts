/**
 * Peers on the local network. A machine says which torrents it has, blinded, and whoever hears it and shares one
 * connects to it; so nobody has to answer, and a hundred machines that start together send a few datagrams each.
 */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { InfoHash } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import { DatagramBudget } from '../../core/swarm/datagram-budget.ts';
import {
  blindLanId,
  DATAGRAM_LIMIT,
  encodeLanAnnouncements,
  parseLanAnnouncement,
} from '../../core/swarm/lan-announcement.ts';
import { isOnLocalNetwork } from '../../core/swarm/peer-address.ts';
import { jittered } from './back-off.ts';
import { LanSchedule, ROUND_MS } from './lan-schedule.ts';
import { LanSockets } from './lan-sockets.ts';
import type { DiscoverySource, Finder, LanOptions, Report } from './protocol.ts';

/** A machine with 256 torrents sends 11 datagrams at once; comparing one costs about half a millisecond then. */
const BUDGET = { perSource: { rate: 3, burst: 48 }, total: { rate: 30, burst: 240 } } as const;
/** Without a listener or an interface there is nothing to say yet; looked at again after this time. */
const RETRY_MS = 5_000;
/** How often interfaces are looked at: a laptop that comes to another network is to be found there soon. */
const LOOK_MS = 30_000;
/** Cookies of this machine's own announcements that are remembered, to know them when they come back. */
const OWN_COOKIES = 32;
const WARN_AGAIN_MS = 600_000;

export interface LanDeps {
  readonly options: LanOptions;
  readonly listenPort: () => number | undefined;
  /** Announcements leave only from where the listener can be reached. */
  readonly listenHost: string;
  readonly report: Report;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export class Lan implements Finder {
  readonly #deps: LanDeps;
  readonly #sockets: LanSockets;
  readonly #schedule = new LanSchedule();
  readonly #budget = new DatagramBudget(BUDGET);
  readonly #ownCookies = new Set<string>();
  #torrents: readonly InfoHash[] = [];
  #timer: { clear(): void } | undefined;
  #lookTimer: { clear(): void } | undefined;
  #announcing = false;
  #stopped = false;
  #started = false;
  #found = 0;
  #error: string | undefined;
  #warnedAt = -Infinity;

  constructor(deps: LanDeps) {
    this.#deps = deps;
    this.#sockets = new LanSockets({
      options: deps.options,
      speaksFrom: (address) => isReachedAt(deps.listenHost, address),
      received: (datagram, from) => this.#received(datagram, from),
      failed: (what, error) => this.#failed(what, error),
    });
  }

  torrents(ids: readonly InfoHash[]): void {
    this.#torrents = ids;
    this.#schedule.set(ids, this.#deps.clock.now());
    // with nothing to share there is nothing to listen for either
    if (ids.length === 0) return;
    this.#plan();
    this.#lookTimer ??= this.#lookLater();
  }

  status(): readonly DiscoverySource[] {
    const working = this.#sockets.size > 0;
    const state = !this.#started ? 'starting' : working ? 'working' : 'failing';
    const error = this.#error === undefined || working ? {} : { error: this.#error };
    return [{ via: 'lan', name: 'local network', state, found: this.#found, ...error }];
  }

  renew(): void {
    this.#schedule.renew(this.#deps.clock.now());
    this.#plan();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.clear();
    this.#lookTimer?.clear();
    this.#sockets.close();
  }

  #plan(retryMs = 0): void {
    const { clock } = this.#deps;
    this.#timer?.clear();
    this.#timer = undefined;
    const next = this.#schedule.next();
    if (this.#stopped || this.#announcing || next === undefined) return;
    this.#timer = clock.setTimeout(() => void this.#announce(), Math.max(retryMs, next - clock.now()));
  }

  async #announce(): Promise<void> {
    const { listenPort, clock, random } = this.#deps;
    this.#announcing = true;
    await this.#sockets.refresh();
    this.#announcing = false;
    if (this.#stopped) return;
    this.#started = true;
    const port = listenPort();
    if (port === undefined || this.#sockets.size === 0) {
      this.#plan(RETRY_MS);
      return;
    }
    const torrents = this.#schedule.take(clock.now(), jittered(ROUND_MS, random));
    const cookie = this.#newCookie();
    this.#sockets.send((group) => encodeLanAnnouncements(group, port, cookie, torrents));
    this.#plan();
  }

  #lookLater(): { clear(): void } {
    return this.#deps.clock.setTimeout(() => void this.#look(), LOOK_MS);
  }

  async #look(): Promise<void> {
    const isNew = await this.#sockets.refresh();
    if (this.#stopped) return;
    if (isNew) this.renew();
    this.#lookTimer = this.#lookLater();
  }

  #newCookie(): string {
    const cookie = randomBytes(16).toString('hex');
    this.#ownCookies.add(cookie);
    if (this.#ownCookies.size > OWN_COOKIES) {
      for (const oldest of this.#ownCookies) {
        this.#ownCookies.delete(oldest);
        break;
      }
    }
    return cookie;
  }

  #received(datagram: Buffer, from: string): void {
    if (this.#stopped || datagram.length > DATAGRAM_LIMIT) return;
    if (!this.#budget.take(from, this.#deps.clock.now())) return;
    if (!isOnLocalNetwork(from, this.#sockets.subnets)) return;
    const heard = parseLanAnnouncement(datagram);
    if (heard === undefined || this.#ownCookies.has(heard.cookie)) return;
    const blinded = new Set(heard.blinded);
    for (const id of this.#torrents) {
      if (!blinded.has(blindLanId(id, heard.cookie))) continue;
      this.#found += this.#deps.report(id, [{ host: from, port: heard.port }], 'lan', from);
    }
  }

  #failed(what: string, error: Error): void {
    const { clock, log } = this.#deps;
    this.#error = `${what}: ${error.message}`;
    const now = clock.now();
    if (now - this.#warnedAt < WARN_AGAIN_MS) return;
    this.#warnedAt = now;
    log.info({ what, reason: error.message }, 'discovery on the local network does not work on all interfaces');
  }
}

/** Who is bound to one address is reached there only; a name is taken for all of them. */
function isReachedAt(listenHost: string, address: string): boolean {
  if (listenHost === '0.0.0.0') return isIP(address) === 4;
  return listenHost === '::' || isIP(listenHost) === 0 || listenHost === address;
}
