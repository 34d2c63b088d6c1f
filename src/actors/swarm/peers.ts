/**
 * The actor that connects the swarms: one link for each pair of peers, what this machine wants over them and gives over
 * them, and one swarm actor for each torrent. It decides nothing itself; what is decided is in the parts.
 */
import { randomBytes } from 'node:crypto';

import type { CatalogueUpdate } from '../../core/archive/archive-state.ts';
import type { Clock } from '../../core/clock.ts';
import type { InfoHash, Sha256 } from '../../core/ids.ts';
import { InPlace } from '../../core/in-place.ts';
import type { Logger } from '../../core/logging.ts';
import { believedPeers } from '../../core/swarm/peer-exchange.ts';
import { TokenBucket } from '../../core/swarm/token-bucket.ts';
import { spawn } from '../../kernel/actor.ts';
import type { ActorRef, Behaviour } from '../../kernel/protocol.ts';
import { CatalogueView } from '../catalogue-view.ts';
import { createDiscovery } from '../discovery/discovery.ts';
import type { DiscoveryProtocol } from '../discovery/protocol.ts';
import type { Hashing } from '../hashing.ts';
import { systemCertificates } from '../http-backup/system-certificates.ts';
import { checkStored } from '../store/check-stored.ts';
import { layoutOf } from '../store/layout.ts';
import type { StoredFile, StoreProtocol } from '../store/protocol.ts';
import { BannedList } from './banned-list.ts';
import { BlockPool } from './block-pool.ts';
import { Dialling } from './dialling.ts';
import { Downloads } from './download/downloads.ts';
import { ExchangeRounds } from './exchange-rounds.ts';
import { linkEvents } from './link-events.ts';
import type { Link, LinkFault } from './link/link.ts';
import { createLinks, type Links } from './link/links.ts';
import { Members } from './members.ts';
import { Offerable } from './offerable.ts';
import type { PeersSettings } from './peers-settings.ts';
import type { PeerKey, PeersProtocol, PeersSinkProtocol, PeersStatus, WantId } from './protocol.ts';
import { Swarms } from './swarms.ts';
import { Uploads } from './upload/uploads.ts';

export interface PeersDeps {
  readonly settings: PeersSettings;
  /** The transfers. */
  readonly sink: ActorRef<PeersSinkProtocol>;
  readonly store: ActorRef<StoreProtocol>;
  readonly hashing: Hashing;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  random(): number;
}

export interface Peers {
  readonly behaviour: Behaviour<PeersProtocol>;
  stop(): Promise<void>;
}

const FIND_MS = 4_000;
/** File I/O that took so long has waited for the disk: writes of 1 MiB at most, and reads of 512 KiB. */
const WRITE_WAITED_MS = 20;
const READ_WAITED_MS = 5;

/** Listens; rejects with PORT_TAKEN or LISTEN_FAILED when that cannot be done. */
export async function createPeers(deps: PeersDeps): Promise<Peers> {
  const { settings, sink, store, hashing, clock, log, random } = deps;
  const layout = layoutOf(settings.cacheDir);
  const view = new CatalogueView();
  const banned = new BannedList();
  /** Bytes of links that have ended. */
  const past = { downBytes: 0, upBytes: 0 };
  /** The port at which this machine has reached the peer; what the peer says itself may be anybody's. */
  const dialled = new WeakMap<Link, number>();
  /** Who waits for the end of a link: several addresses may lead to one peer. */
  const endings = new WeakMap<Link, (() => void)[]>();

  const blocks = new BlockPool();

  const links: Links = createLinks({
    log,
    clock,
    blocks,
    client: settings.client,
    swarmKey: settings.swarmKey,
    random: randomBytes,
    onLink(link) {
      hashing.prepare();
      downloads.linkOpened(link);
      uploads.linkOpened(link);
      members.update(link, link.common);
      return linkEvents(
        { downloads, uploads, torrents: (each, common) => members.update(each, common), exchanged, closed },
        link,
      );
    },
  });
  const downloadLimit = new TokenBucket({ rate: settings.downloadLimit });
  const downloads = new Downloads({
    clock,
    log,
    ownPeerId: links.peerId,
    blocks,
    inPlace: new InPlace(WRITE_WAITED_MS),
    links: () => links.all(),
    ban: (peer, fault) => ban(peer, fault.message),
    offered: (id, offer) => void sink.tell('offered', id, offer),
    wrote: (job, start, end) => void sink.tell('peerWrote', job, start, end),
    pieceRoot: (path, start, length) => hashing.pieceRoot(path, start, length),
    finalPath: (sha256) => layout.file(sha256),
    takeTokens: (bytes) => downloadLimit.take(bytes, clock.now()),
    wanters: (sha256) => uploads.wantersOf(sha256),
    earlier: (sha256) => uploads.earlier(sha256),
    pieceAgreed: (sha256, piece) => offerable.agreed(sha256, piece),
  });
  const uploads = new Uploads({
    blocks,
    inPlace: new InPlace(READ_WAITED_MS),
    clock,
    log,
    random,
    find: (sha256) => store.within(FIND_MS).ask('find', sha256),
    check,
    content: (sha256) => view.catalogue.lookupSha(sha256),
    pieceRoots: (path, size) => hashing.pieceRoots(path, size),
    limit: new TokenBucket({ rate: settings.uploadLimit }),
    wantChanged: (link, sha256, wanting) => downloads.remoteWant(link, sha256, wanting),
    ban(link, fault: LinkFault) {
      // The link layer counts offences, and bans for those that deserve it.
      link.close(fault);
    },
  });
  const offerable = new Offerable(({ sha256, size, path }, pieces) => uploads.partial(sha256, size, path, pieces));
  const dialling = new Dialling({
    clock,
    random,
    torrents: () => swarms.torrents,
    isLinked: ({ host, port }) => links.all().some((link) => link.address === host && link.listenPort === port),
    dial({ host, port, torrent }) {
      const outcome = links.dial(host, port, torrent);
      const link = outcome.then((result) => (result.kind === 'linked' ? result.link : undefined));
      const ended = link.then((there) => there && untilEnded(there));
      void outcome.then((result) => {
        if (result.kind === 'linked' && result.reached) dialled.set(result.link, port);
      });
      const made = outcome.then((result) => (result.kind === 'failed' && result.reached ? 'refused' : result.kind));
      return { made, ended: ended.then(() => undefined) };
    },
  });
  const swarms = new Swarms({ dial: (torrent, addresses, fixed) => dialling.found(torrent, addresses, fixed), log });
  const members = new Members({ swarms, changed: (counts) => void sink.tell('neighbours', counts) });
  const rounds = new ExchangeRounds({ links: () => links.all(), dialledPort: (link) => dialled.get(link), clock });

  await links.listen(settings.listen.host, settings.listen.port);

  const discovery = createDiscovery({
    listenPort: () => links.listening?.port,
    listenHost: settings.listen.host,
    ca: systemCertificates,
    peerId: links.peerId,
    found: (torrent, addresses, via) => void swarms.ref(torrent)?.tell('found', addresses, via),
    lost: (addresses, others) => links.lost(addresses, others),
    moved() {
      links.check();
      dialling.renew();
    },
    config: {
      peers: settings.fixedPeers,
      trackers: settings.trackers,
      lan: settings.lan,
      dht: settings.dht,
      dhtBootstrap: settings.dhtBootstrap,
    },
    private: settings.swarmKey !== undefined,
    clock,
    log,
    random,
  });
  const finder = spawn<DiscoveryProtocol>({
    name: 'discovery',
    behaviour: discovery.behaviour,
    log,
    stop: () => discovery.stop(),
  });

  async function check(file: StoredFile): Promise<boolean> {
    const right = await checkStored({ store, sha256: (path, size) => hashing.sha256(path, size) }, file);
    return right === true;
  }

  function exchanged(link: Link, addresses: readonly { readonly host: string; readonly port: number }[]): void {
    const believed = believedPeers(link.address, addresses);
    for (const torrent of link.common) swarms.ref(torrent)?.tell('found', believed, 'pex');
  }

  function closed(link: Link): void {
    past.downBytes += link.downBytes;
    past.upBytes += link.upBytes;
    members.closed(link);
    for (const resolve of endings.get(link) ?? []) resolve();
  }

  function untilEnded(link: Link): Promise<void> {
    if (!links.all().includes(link)) return Promise.resolve();
    return new Promise((resolve) => endings.set(link, [...(endings.get(link) ?? []), resolve]));
  }

  function ban(peer: PeerKey, reason: string): void {
    log.warn({ peer: peer.address, id: peer.peerId, reason }, 'peer banned');
    const link = links.all().find(({ peerId }) => peerId === peer.peerId);
    banned.add(peer, link);
    links.ban(peer, reason);
  }

  function follow(update: CatalogueUpdate): void {
    view.update(update);
    const shared = view.catalogue.torrents().filter((torrent) => torrent.public);
    const ids = shared.map(({ id }) => id);
    if (swarms.follow(ids)) {
      links.setTorrents(ids);
      finder.ref.tell('torrents', ids);
    }
    uploads.catalogueChanged();
  }

  function over(file: { sha256: Sha256; size: number; path: string }, verified: boolean): void {
    if (verified) uploads.verified(file.sha256, file.size, file.path, layout.file(file.sha256));
    else uploads.forget(file.sha256);
  }

  function wantOver(id: WantId, verified: boolean): void {
    downloads.over(id, verified);
    const file = offerable.closed(id);
    if (file !== undefined) over(file, verified);
  }

  async function status(): Promise<PeersStatus> {
    const wanted = new Map<InfoHash, number>();
    for (const counts of [downloads.wanted(), uploads.wanted()]) {
      for (const [torrent, files] of counts) wanted.set(torrent, (wanted.get(torrent) ?? 0) + files);
    }
    for (const torrent of swarms.torrents) swarms.ref(torrent)?.tell('wanted', wanted.get(torrent) ?? 0);
    const all = links.all();
    const sum = (bytes: (link: Link) => number) => all.reduce((total, link) => total + bytes(link), 0);
    return {
      listening: links.listening?.address ?? null,
      peers: [
        ...all.map(({ name, client, downBytes, upBytes }) => {
          return { address: name, client, down_bytes: downBytes, up_bytes: upBytes, banned: false };
        }),
        ...banned.list(),
      ],
      torrents: await swarms.status(),
      totals: {
        downBytes: past.downBytes + sum((link) => link.downBytes),
        upBytes: past.upBytes + sum((link) => link.upBytes),
        bans: links.bans,
      },
    };
  }

  return {
    behaviour: {
      begun() {
        for (const id of offerable.wants) wantOver(id, false);
        return members.links;
      },
      seek(file) {
        offerable.opened(file);
        return downloads.seek(file);
      },
      fetch: (job) => downloads.fetch(job),
      cancel: (id) => downloads.cancel(id),
      mirrored(id, fetching, have) {
        offerable.mirrored(id, have);
        downloads.mirrored(id, fetching, have);
      },
      over: wantOver,
      verified: (sha256, size, path) => over({ sha256, size, path }, true),
      contributions: (id) => downloads.contributions(id),
      ban(peers, reason) {
        for (const peer of peers) ban(peer, reason);
      },
      catalogue: follow,
      found: (torrent, addresses, via) => void swarms.ref(torrent)?.tell('found', addresses, via),
      status,
    },
    async stop() {
      dialling.stop();
      rounds.stop();
      await finder.stop();
      await Promise.all([downloads.stop(), uploads.stop()]);
      await links.stop();
      await swarms.stop();
    },
  };
}
