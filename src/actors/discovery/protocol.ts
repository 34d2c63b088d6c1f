/** Messages to the actor that finds addresses of peers, and what it is made of. */
import type { Clock } from '../../core/clock.ts';
import type { InfoHash } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { PeerAddress, Via } from '../../core/swarm/peer-address.ts';

/** How one way of finding peers does; for people. */
export interface DiscoverySource {
  readonly via: Via;
  /** A tracker's URL without what may be secret in it, else the name of the source. */
  readonly name: string;
  readonly state: 'starting' | 'working' | 'failing' | 'off';
  /** Addresses reported so far. */
  readonly found: number;
  /** Why it fails, in one line. */
  readonly error?: string;
}

export interface DiscoveryStatus {
  readonly torrents: number;
  readonly sources: readonly DiscoverySource[];
}

export interface DiscoveryProtocol {
  /**
   * The torrents to find peers for, whole state; only such as may be announced. At most MAX_TORRENTS, the rest is
   * ignored.
   */
  torrents(ids: readonly InfoHash[]): void;
  status(): DiscoveryStatus;
}

/** As many as a link lists (docs/PROTOCOL.md). */
export const MAX_TORRENTS = 256;

export interface DiscoveryConfig {
  /** Fixed peers; names are allowed. */
  readonly peers: readonly PeerAddress[];
  /** `http`, `https` and `udp` URLs. */
  readonly trackers: readonly string[];
  readonly lan: boolean;
  readonly dht: boolean;
  readonly dhtBootstrap: readonly PeerAddress[];
}

export interface LanOptions {
  /** UDP port of the groups; BEP 14: 6771. */
  readonly port: number;
  readonly group4: string;
  readonly group6: string;
}

export const BEP14: LanOptions = { port: 6771, group4: '239.192.152.143', group6: 'ff15::efc0:988f' };

export interface DiscoveryDeps {
  /** TCP port on which peers are accepted; undefined while there is none: then nothing is announced. */
  readonly listenPort: () => number | undefined;
  /** The address that the listener is bound to: only from there can others reach it. Default: all. */
  readonly listenHost?: string;
  /** 40 hexadecimal digits. */
  readonly peerId: string;
  /** Addresses to try: canonical, checked for who told of them, each at most once in AGAIN_MS for each torrent. */
  readonly found: (torrent: InfoHash, addresses: readonly PeerAddress[], via: Via) => void;
  readonly config: DiscoveryConfig;
  /** A swarm key is set: no DHT. */
  readonly private: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 up to 1, for jitter. */
  readonly random: () => number;
  /** This machine's own listener, not to be dialled. Default: the addresses of the interfaces with listenPort. */
  readonly isOwnAddress?: (address: PeerAddress) => boolean;
  /** This machine is on another network, or was asleep. */
  readonly moved?: () => void;
  /** This machine no longer has these addresses, if it has others in their place; else they may be back at once. */
  readonly lost?: (addresses: ReadonlySet<string>, others: boolean) => void;
  /** Its addresses; default: those of its interfaces that others may reach. */
  readonly addresses?: () => Iterable<string>;
  /** Default: BEP14. */
  readonly lanOptions?: LanOptions;
  /** PEM of those who may vouch for https trackers; default: Node's own list. */
  readonly ca?: () => string[];
  /** Where the DHT's UDP socket is bound; default: the address of the listener, and its port if that is free. */
  readonly dhtBind?: PeerAddress;
}

/** One way of finding peers. */
export interface Finder {
  /** Whole state. */
  torrents(ids: readonly InfoHash[]): void;
  status(): readonly DiscoverySource[];
  /** This machine is on another network, or was asleep: it may be named by a wrong address, and what failed may work. */
  renew?(): void;
  /** Says goodbye where that is possible; resolves within about a second, never rejects. */
  stop(): Promise<void>;
}

/** What a finder has been told: checked, deduplicated and passed on by the actor. Says how many were passed on. */
export type Report = (
  torrent: InfoHash,
  addresses: readonly PeerAddress[],
  via: Via,
  teller: string | undefined,
) => number;
