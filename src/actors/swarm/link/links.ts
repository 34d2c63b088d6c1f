/** All links of this machine: listens, dials, lets in and turns away, keeps one for each peer. */
import type { AddressInfo, Server, Socket } from 'node:net';

import type { Clock } from '../../../core/clock.ts';
import { formatAuthority } from '../../../core/http/authority.ts';
import type { InfoHash } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logging.ts';
import { listedTorrents } from '../../../core/swarm/blind.ts';
import { canonicalAddress } from '../../../core/swarm/peer-address.ts';
import { tlsPsk } from '../../../core/swarm/psk.ts';
import type { BlockPool } from '../block-pool.ts';
import type { PeerKey } from '../protocol.ts';
import { Admission } from './admission.ts';
import { BanTable } from './ban-table.ts';
import { Channel } from './channel.ts';
import { replaces } from './duplicate-rule.ts';
import { Handshake, type Introduction } from './handshake.ts';
import { LineLog } from './line-log.ts';
import { LINK_LIMITS, type LinkLimits } from './link-limits.ts';
import type { Link, LinkFault, LinkHandler } from './link.ts';
import { Roster, SELF, type Connection, type DialOutcome } from './roster.ts';
import { listenOn, openSocket, plainSocket, SharedReads, type PeerSocket } from './sockets.ts';
import { pskServer } from './tls-psk.ts';
import { WireLink } from './wire-link.ts';

export interface LinksDeps {
  readonly log: Logger;
  readonly clock: Clock;
  /** Random bytes for the peer id. */
  random(count: number): Buffer;
  /** Name and version that peers are told. */
  readonly client: string;
  /** Of a private swarm, 32 bytes. */
  readonly swarmKey?: Uint8Array | undefined;
  readonly limits?: Partial<LinkLimits>;
  /** Where blocks are put together; the same as the downloads'. */
  readonly blocks: BlockPool;
  /** The link is complete; messages come after this returns. */
  onLink(link: Link): LinkHandler;
}

export interface Links {
  /** Own peer id, 40 hexadecimal digits, new at each start. */
  readonly peerId: string;
  /** Where this machine listens; undefined before `listen`. */
  readonly listening: { readonly address: string; readonly port: number } | undefined;
  /** Bans so far. */
  readonly bans: number;
  /** @throws DebtorrentError PORT_TAKEN, or LISTEN_FAILED for an address that is none of this machine */
  listen(host: string, port: number): Promise<{ readonly address: string; readonly port: number }>;
  /** `host` is an address or a name. Resolves when the handshakes are done or have failed; never rejects. */
  dial(host: string, port: number, torrent: InfoHash): Promise<DialOutcome>;
  /** What this machine shares now; links are told. */
  setTorrents(ids: Iterable<InfoHash>): void;
  all(): readonly Link[];
  /** Ends the peer's link too. */
  ban(peer: PeerKey, reason: string): void;
  isBanned(peer: PeerKey): boolean;
  /**
   * Links from these addresses are ended when this machine has `others` in their place, and else if their peers do not
   * answer: the addresses may be back by then.
   */
  lost(addresses: ReadonlySet<string>, others: boolean): void;
  /** This machine is on another network, or was asleep: links whose peers do not answer are ended. */
  check(): void;
  stop(): Promise<void>;
}

const PEER_ID_PREFIX = '-DT2000-';
const STOPPING: LinkFault = { kind: 'stopping', message: 'the daemon is stopping' };

export function createLinks(deps: LinksDeps): Links {
  const { log, clock } = deps;
  const limits: LinkLimits = { ...LINK_LIMITS, ...deps.limits };
  const ownPeerId = Buffer.concat([Buffer.from(PEER_ID_PREFIX), deps.random(20 - PEER_ID_PREFIX.length)]).toString(
    'hex',
  );
  const psk = deps.swarmKey === undefined ? undefined : tlsPsk(deps.swarmKey);
  const bans = new BanTable(limits.banMs);
  const admission = new Admission({ limits, clock, bans });
  const lines = new LineLog({ log, clock });
  const reads = new SharedReads();
  const roster = new Roster({ ownPeerId, clock, admission, bans, lines });
  let torrents: readonly InfoHash[] = [];
  let server: Server | undefined;
  let listening: { readonly address: string; readonly port: number } | undefined;
  let stopping = false;

  const tls =
    psk === undefined
      ? undefined
      : pskServer(psk, limits.handshakeMs, {
          secured(socket) {
            const connection = roster.incoming(nameOf(socket));
            if (connection === undefined) socket.destroy();
            else shakeHands(connection, plainSocket(socket), undefined);
          },
          failed(socket, fault) {
            const connection = roster.incoming(nameOf(socket));
            if (connection !== undefined) roster.over(connection, fault);
          },
        });

  function accept(accepted: Socket): void {
    const made = tls === undefined ? reads.accepted(accepted) : plainSocket(accepted);
    const { socket } = made;
    socket.on('error', () => {});
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const address = canonicalAddress(socket.remoteAddress);
    const name = nameOf(socket);
    const refused = stopping ? STOPPING : admission.refuseIncoming(address);
    if (refused !== undefined) {
      socket.resetAndDestroy();
      return roster.say('link refused', { name }, refused);
    }
    const connection = roster.begin({ key: address, name, incoming: true, openedAt: clock.now(), socket, address });
    // Also when it ends before there is a channel.
    socket.on('close', () => roster.over(connection, { kind: 'closed', message: 'the connection is closed' }));
    if (tls === undefined) shakeHands(connection, made, undefined);
    else tls.secure(socket);
  }

  function shakeHands(connection: Connection, socket: PeerSocket, dialled: InfoHash | undefined): void {
    connection.socket = socket.socket;
    const channel = new Channel({
      socket,
      blocks: deps.blocks,
      incoming: connection.incoming,
      clock,
      limits,
      broken: (error) => log.error({ err: error, peer: connection.name }, 'a message of a peer could not be handled'),
    });
    connection.channel = channel;
    const handshake = new Handshake({
      channel,
      clock,
      limits,
      ownPeerId,
      client: deps.client,
      listenPort: listening?.port,
      address: connection.address,
      name: connection.name,
      openedAt: connection.openedAt,
      dialled,
      torrents: () => torrents,
      refuse: (peerId) => refusePeer(connection, peerId),
      done: (introduction) => complete(connection, channel, introduction),
      ended: (fault) => roster.over(connection, fault),
    });
    handshake.start();
  }

  function refusePeer(connection: Connection, peerId: string): LinkFault | undefined {
    connection.peerId = peerId;
    if (peerId === ownPeerId) {
      roster.metSelf(connection);
      return SELF;
    }
    const banned = bans.reason(connection.address, peerId, clock.now());
    if (banned !== undefined) return { kind: 'banned', message: banned };
    const old = roster.linkWith(peerId);
    if (old === undefined || replaces(connection, old, ownPeerId, peerId, clock.now())) return undefined;
    // The peer may have come to another address, which ends no link: it would be kept out until the old one is given up.
    old.check();
    // Who was dialled answers first, so that who dials learns whom there is a link with already.
    return connection.incoming ? undefined : duplicate();
  }

  function complete(connection: Connection, channel: Channel, introduction: Introduction): void {
    const { peerId } = introduction;
    const old = roster.linkWith(peerId);
    if (old !== undefined) {
      if (!replaces(connection, old, ownPeerId, peerId, clock.now())) return channel.end(duplicate());
      old.close(duplicate());
    }
    const link = new WireLink({
      channel,
      socket: connection.socket,
      clock,
      limits,
      ownPeerId,
      introduction,
      torrents,
      ended: (fault) => roster.over(connection, fault),
    });
    roster.linked(connection, link);
    const { name, client, common } = link;
    lines.say('info', { peer: name, id: peerId, client, torrents: common.length, incoming: link.incoming }, 'link');
    link.start(deps.onLink(link));
    connection.outcome?.({ kind: 'linked', link, reached: true });
    return undefined;
  }

  function dial(
    { host, port, name }: { readonly host: string; readonly port: number; readonly name: string },
    torrent: InfoHash,
    done: (outcome: DialOutcome) => void,
  ): void {
    const timer = clock.setTimeout(
      () =>
        roster.over(connection, { kind: 'timeout', message: `no connection within ${limits.handshakeMs / 1000} s` }),
      limits.handshakeMs,
    );
    const outcome = (result: DialOutcome) => {
      timer.clear();
      done(result);
    };
    const opened = (made: PeerSocket) => {
      timer.clear();
      connection.address = canonicalAddress(socket.remoteAddress ?? '::');
      if (connection.over !== true) shakeHands(connection, made, torrent);
    };
    const failed = (fault: LinkFault) => roster.over(connection, fault);
    const socket = openSocket({ host, port, psk, reads }, opened, failed);
    const openedAt = clock.now();
    const connection = roster.begin({ key: host, name, incoming: false, openedAt, socket, address: host, outcome });
  }

  function nameOf(socket: Socket): string {
    return formatAuthority(canonicalAddress(socket.remoteAddress ?? '::'), socket.remotePort ?? 0);
  }

  return {
    peerId: ownPeerId,
    get listening() {
      return listening;
    },
    get bans() {
      return bans.total;
    },
    async listen(host, port) {
      server = await listenOn(host, port, {
        paused: tls === undefined,
        accepted: accept,
        failed: (error) => lines.say('warn', { err: error }, 'a connection of a peer could not be accepted'),
      });
      const bound = server.address() as AddressInfo;
      listening = { address: formatAuthority(bound.address, bound.port), port: bound.port };
      return listening;
    },
    dial(host, port, torrent) {
      const name = formatAuthority(host, port);
      const link = roster.linkAt(host, port, name);
      if (link !== undefined) return Promise.resolve({ kind: 'linked', link, reached: false });
      const refused = stopping ? STOPPING : admission.refuseOutgoing(host);
      if (refused !== undefined) return Promise.resolve({ kind: 'failed', fault: refused, reached: false });
      return new Promise((resolve) => dial({ host, port, name }, torrent, resolve));
    },
    setTorrents(ids) {
      const next = listedTorrents(ids);
      if (next.length === torrents.length && next.every((id, at) => id === torrents[at])) return;
      torrents = next;
      for (const link of roster.links()) link.setTorrents(torrents);
    },
    all: () => roster.links(),
    ban(peer, reason) {
      bans.ban(peer, reason, clock.now());
      const link = roster.linkWith(peer.peerId);
      if (link?.address === peer.address) link.close({ kind: 'banned', message: reason });
    },
    isBanned: ({ address, peerId }) => bans.reason(address, peerId, clock.now()) !== undefined,
    lost(addresses, others) {
      for (const link of roster.from(addresses)) {
        if (others) link.close({ kind: 'closed', message: 'this machine no longer has the address of this end' });
        else link.check();
      }
    },
    check() {
      for (const link of roster.links()) link.check();
    },
    async stop() {
      stopping = true;
      const closed = new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
      roster.allOver(STOPPING);
      await closed;
      lines.close();
    },
  };
}

function duplicate(): LinkFault {
  return { kind: 'duplicate', message: 'there is a link with this peer already' };
}
