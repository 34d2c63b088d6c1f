/** Peers from a DHT (BEP 5): each torrent is looked up and announced every 15 minutes, one at a time. IPv4 only. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Client, Contact } from 'bittorrent-dht';
import type { Clock } from '../../core/clock.ts';
import type { InfoHash } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import { isNear, type PeerAddress } from '../../core/swarm/peer-address.ts';
import { backOff, jittered, RENEW_MS } from './back-off.ts';
import { DhtSocket } from './dht-socket.ts';
import { DueQueue, type Turn } from './due-queue.ts';
import type { DiscoverySource, Finder, Report } from './protocol.ts';

const INTERVAL_MS = 900_000;
/** While there are no nodes: first, and at most. */
const FIRST_RETRY_MS = 10_000;
const MOST_RETRY_MS = INTERVAL_MS;
/** Between two times that all are looked up again as this machine has moved. */
const LEAST_RENEWAL_MS = 60_000;
/** A lookup asks some tens of nodes, each for at most 2 s, 16 at a time. */
const LOOKUP_MS = 60_000;
/** What this node keeps of others' announcements: so few that an answer with all of them fits into one datagram. */
const TABLES = { maxTables: 64, maxValues: 1, maxPeers: 64, maxAge: 1_800_000 } as const;

export interface DhtFinderDeps {
  readonly bootstrap: readonly PeerAddress[];
  readonly bind: PeerAddress | undefined;
  readonly listenPort: () => number | undefined;
  /** Nodes take the address that a datagram comes from for the listener's, so it has to be that. */
  readonly listenHost: string;
  readonly report: Report;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export class DhtFinder implements Finder {
  readonly #deps: DhtFinderDeps;
  readonly #queue: DueQueue;
  #node: Promise<Client | undefined> | undefined;
  #nodes = 0;
  #failures = 0;
  #renewedAt = -Infinity;
  #found = 0;
  #error: string | undefined;
  #faulted = false;
  #stopped = false;
  #giveUp: () => void = () => undefined;

  constructor(deps: DhtFinderDeps) {
    this.#deps = deps;
    this.#queue = new DueQueue({ clock: deps.clock, parallel: () => 1, work: (torrent) => this.#turn(torrent) });
  }

  torrents(ids: readonly InfoHash[]): void {
    this.#queue.set(ids);
  }

  status(): readonly DiscoverySource[] {
    const state = this.#error !== undefined ? 'failing' : this.#nodes > 0 ? 'working' : 'starting';
    const error = this.#error === undefined ? {} : { error: this.#error };
    return [{ via: 'dht', name: `DHT, ${this.#nodes} nodes`, state, found: this.#found, ...error }];
  }

  renew(): void {
    const { clock, random } = this.#deps;
    const now = clock.now();
    if (now - this.#renewedAt < LEAST_RENEWAL_MS) return;
    this.#renewedAt = now;
    this.#failures = Math.min(this.#failures, 1);
    const soon = random() * RENEW_MS;
    this.#queue.hurry(this.#queue.torrents, () => soon);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue.stop();
    this.#giveUp();
    await this.#close();
  }

  async #turn(torrent: InfoHash): Promise<Turn> {
    const { clock, random } = this.#deps;
    if (await this.#isAlone()) await this.#close();
    const node = await (this.#node ??= this.#open());
    if (this.#stopped) return { againMs: INTERVAL_MS };
    if (node === undefined) {
      this.#node = undefined;
      return this.#retry();
    }
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(resolve, LOOKUP_MS);
      const done = () => {
        timer.clear();
        resolve();
      };
      // a node that is destroyed says nothing more
      this.#giveUp = done;
      node.lookup(torrent, () => {
        const port = this.#deps.listenPort();
        if (this.#stopped || port === undefined || !this.#isReached) done();
        else node.announce(torrent, port, done);
      });
    });
    if (this.#stopped) return { againMs: INTERVAL_MS };
    this.#nodes = node.nodes.count();
    if (this.#nodes === 0) {
      this.#failed('no node of the DHT answers');
      return this.#retry();
    }
    this.#failures = 0;
    this.#error = undefined;
    return { againMs: jittered(INTERVAL_MS, random) };
  }

  /**
   * It has found no other node, nor been found by one. The next one looks up the names of the configuration anew: when a
   * machine starts they may have no address yet, and later they may have another one.
   */
  async #isAlone(): Promise<boolean> {
    const node = this.#failures > 0 ? await this.#node : undefined;
    return node?.nodes.count() === 0;
  }

  async #close(): Promise<void> {
    const opened = this.#node;
    this.#node = undefined;
    const node = await opened;
    if (node !== undefined) await new Promise<void>((resolve) => node.destroy(resolve));
  }

  /** A listener on one IPv6 address is not reached at any that the nodes see. */
  get #isReached(): boolean {
    const { listenHost } = this.#deps;
    return listenHost === '::' || isIP(listenHost) !== 6;
  }

  #retry(): Turn {
    this.#failures += 1;
    const pauseMs = backOff(this.#failures, FIRST_RETRY_MS, MOST_RETRY_MS, this.#deps.random);
    return { againMs: pauseMs, pauseMs };
  }

  #failed(reason: string): void {
    if (this.#error === undefined && !this.#stopped) this.#deps.log.warn({ reason }, 'the DHT does not work');
    this.#error = reason;
  }

  /** Never rejects; undefined when no socket can be had. */
  async #open(): Promise<Client | undefined> {
    const { bind, listenPort, listenHost, clock } = this.#deps;
    try {
      const bootstrap = await resolved(this.#deps.bootstrap);
      const nearby = bootstrap.some(({ host }) => isNear(host));
      const ports = bind === undefined ? [listenPort() ?? 0, 0] : [bind.port];
      const socket = await boundSocket(ports, bind?.host ?? (isIP(listenHost) === 4 ? listenHost : '0.0.0.0'));
      const { Client } = await import('bittorrent-dht');
      if (this.#stopped) {
        socket.close();
        return undefined;
      }
      const fault = (error: unknown) => this.#fault(error);
      const guarded = new DhtSocket({ socket, nearby, now: () => clock.now(), fault });
      const node = new Client({ socket: guarded, bootstrap: bootstrap.length > 0 ? bootstrap : false, ...TABLES });
      node.on('error', fault);
      node.on('peer', (peer: Contact, infoHash: Buffer, from: Contact | null) => this.#peer(peer, infoHash, from));
      node.listen();
      return node;
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #peer(peer: Contact, infoHash: Buffer, from: Contact | null): void {
    const torrent = infoHash.toString('hex') as InfoHash;
    if (peer.host === undefined || !this.#queue.torrents.includes(torrent)) return;
    const teller = from?.address ?? from?.host;
    this.#found += this.#deps.report(torrent, [{ host: peer.host, port: peer.port }], 'dht', teller);
  }

  #fault(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const { log } = this.#deps;
    if (this.#faulted) log.debug({ reason }, 'DHT');
    else log.warn({ reason }, 'a message of the DHT could not be handled; later ones are logged as debug');
    this.#faulted = true;
  }
}

/** Nodes are reached over IPv4. Names without an address are left out. */
async function resolved(nodes: readonly PeerAddress[]): Promise<PeerAddress[]> {
  const found = await Promise.all(
    nodes.map(({ host, port }) =>
      lookup(host, { family: 4 }).then(
        ({ address }) => [{ host: address, port }],
        () => [],
      ),
    ),
  );
  return found.flat();
}

/** Bound to the first of `ports` that is free. @throws when none is. */
async function boundSocket(ports: readonly number[], host: string): Promise<Socket> {
  let failure: unknown = new Error('no port to bind');
  for (const port of ports) {
    const socket = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(port, host, () => {
          socket.off('error', reject);
          resolve();
        });
      });
      return socket;
    } catch (error) {
      socket.close();
      failure = error;
    }
  }
  throw failure;
}
