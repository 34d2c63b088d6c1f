/**
 * Finds addresses of peers: those of the configuration, on the local network, from trackers and in the DHT. This is
 * the one gate through which addresses leave: it checks who told of what, and how much of it there is.
 */
import { networkInterfaces } from 'node:os';
import type { InfoHash } from '../../core/ids.ts';
import { FoundAddresses } from '../../core/swarm/found-addresses.ts';
import { canonicalAddress, dialable, type PeerAddress } from '../../core/swarm/peer-address.ts';
import type { Behaviour } from '../../kernel/protocol.ts';
import { DhtFinder } from './dht.ts';
import { FixedPeers } from './fixed-peers.ts';
import { Lan } from './lan.ts';
import { NetworkWatch, reachableAddresses } from './network-watch.ts';
import { BEP14, MAX_TORRENTS } from './protocol.ts';
import type { DiscoveryDeps, DiscoveryProtocol, Finder, Report } from './protocol.ts';
import { TrackerFinder } from './tracker-finder.ts';

export interface Discovery {
  readonly behaviour: Behaviour<DiscoveryProtocol>;
  /** Leaves the trackers and closes all sockets, within about a second. Never rejects. */
  stop(): Promise<void>;
}

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const report = reporter(deps);
  const finders = createFinders(deps, report);
  let torrents: readonly InfoHash[] = [];
  let watch: NetworkWatch | undefined;
  const { clock, log, addresses = reachableAddresses, moved, lost = () => {} } = deps;
  const changed = () => {
    log.info({}, 'this machine is on another network, or was asleep: peers are looked for anew');
    for (const finder of finders) finder.renew?.();
    moved?.();
  };
  return {
    behaviour: {
      torrents(ids) {
        torrents = [...new Set(ids)].slice(0, MAX_TORRENTS);
        for (const finder of finders) finder.torrents(torrents);
        if (torrents.length === 0 || finders.length === 0) return;
        watch ??= new NetworkWatch({ clock, addresses, timeOfDay: () => Date.now(), changed, lost });
      },
      status: () => ({ torrents: torrents.length, sources: finders.flatMap((finder) => finder.status()) }),
    },
    async stop() {
      watch?.stop();
      await Promise.all(finders.map((finder) => finder.stop()));
    },
  };
}

function createFinders(deps: DiscoveryDeps, report: Report): Finder[] {
  const { config, clock, log, random, listenPort, listenHost = '::', peerId, ca } = deps;
  const finders: Finder[] = [];
  if (config.peers.length > 0) finders.push(new FixedPeers({ peers: config.peers, report, clock, random }));
  if (config.lan) {
    const { lanOptions: options = BEP14 } = deps;
    finders.push(new Lan({ listenPort, listenHost, report, clock, log, random, options }));
  }
  for (const url of new Set(config.trackers)) {
    finders.push(new TrackerFinder({ url, listenPort, peerId, report, clock, log, random, ca }));
  }
  if (config.dht && !deps.private) {
    const { dhtBootstrap: bootstrap } = config;
    finders.push(new DhtFinder({ bootstrap, bind: deps.dhtBind, listenPort, listenHost, report, clock, log, random }));
  }
  return finders;
}

function reporter(deps: DiscoveryDeps): Report {
  const { found, clock, isOwnAddress = ownListener(deps) } = deps;
  const seen = new FoundAddresses();
  return (torrent, addresses, via, teller) => {
    const usable = addresses.flatMap((address) => dialable(address, via, teller) ?? []);
    const others = usable.filter((address) => !isOwnAddress(address));
    const fresh = seen.fresh(torrent, via, others, clock.now());
    if (fresh.length > 0) found(torrent, fresh, via);
    return fresh.length;
  };
}

/** Addresses of interfaces change rarely, and are asked for with every address that is found. */
const OWN_ADDRESSES_MS = 30_000;

function ownListener({ listenPort, clock }: DiscoveryDeps): (address: PeerAddress) => boolean {
  let own = new Set<string>();
  let readAt = -Infinity;
  return ({ host, port }) => {
    if (port !== listenPort()) return false;
    const now = clock.now();
    if (now - readAt >= OWN_ADDRESSES_MS) {
      const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
      own = new Set(all.map(({ address }) => canonicalAddress(address)));
      readAt = now;
    }
    return own.has(host.replace(/%.*$/, ''));
  };
}
