/** All links of this machine: listens, dials, lets in and turns away, keeps one for each peer. */
import type { AddressInfo, Server, Socket } from 'node:net';

import type { Clock } from '../../../core/clock.ts';
import { formatAuthority } from '../../../core/http/authority.ts';
import type { InfoHash } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logging.ts';
import { listedTorrents } from '../../../core/swarm/blind.ts';
import { canonicalAddress } from '../../../core/swarm/peer-address.ts';
import { tlsPsk } from '../../../core/swarm/psk.ts';
import type { PeerKey } from '../protocol.ts';
import { Admission } from './admission.ts';
import { BanTable } from './ban-table.ts';
import { Channel } from './channel.ts';
import { replaces } from './duplicate-rule.ts';
import { Handshake, type Introduction } from './handshake.ts';
import { LineLog } from './line-log.ts';
import { LINK_LIMITS, type LinkLimits } from './link-limits.ts';
import type { Link, LinkFault, LinkHandler } from './link.ts';
import { listenOn, openSocket } from './sockets.ts';
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
  /** The link is complete; messages come after this returns. */
  onLink(link: Link): LinkHandler;
}

export type DialOutcome =
  /** There is a link with whoever is there, made now or before. */
  | { readonly kind: 'linked'; readonly link: Link }
  /** This machine itself listens there. */
  | { readonly kind: 'self' }
  | { readonly kind: 'failed'; readonly fault: LinkFault };

export interface Links {
  /** Own peer id, 40 hexadecimal digits, new at each start. */
  readonly peerId: string;
  /** Where this machine listens; undefined before `listen`. */
  readonly listening: { readonly address: string; readonly port: number } | undefined;
  /** Bans so far. */
  readonly bans: number;
  /** @throws DebtorrentError PORT_TAKEN, or CONFIG_INVALID for an address that is none of this machine */
  listen(host: string, port: number): Promise<{ readonly address: string; readonly port: number }>;
  /** `host` is an address or a name. Resolves when the handshakes are done or have failed; never rejects. */
  dial(host: string, port: number, torrent: InfoHash): Promise<DialOutcome>;
  /** What this machine shares now; links are told. */
  setTorrents(ids: Iterable<InfoHash>): void;
  all(): readonly Link[];
  /** Ends the peer's link too. */
  ban(peer: PeerKey, reason: string): void;
  isBanned(peer: PeerKey): boolean;
  stop(): Promise<void>;
}

/** A connection from its first moment to its last. */
interface Connection {
  /** What admission counts it under: the peer's address, or the name that was dialled. */
  readonly key: string;
  readonly name: string;
  readonly incoming: boolean;
  readonly openedAt: number;
  socket: Socket;
  address: string;
  channel?: Channel;
  peerId?: string;
  link?: WireLink;
  over: boolean;
  outcome?: (outcome: DialOutcome) => void;
}

const PEER_ID_PREFIX = '-DT2000-';
const SELF: LinkFault = { kind: 'duplicate', message: 'it is this daemon itself' };

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
  const connections = new Map<string, Connection>();
  const links = new Map<string, WireLink>();
  let torrents: readonly InfoHash[] = [];
  let server: Server | undefined;
  let listening: { readonly address: string; readonly port: number } | undefined;
  let stopping = false;
  let dials = 0;

  const tls =
    psk === undefined
      ? undefined
      : pskServer(psk, limits.handshakeMs, {
          secured(socket) {
            const connection = connections.get(nameOf(socket));
            if (connection === undefined || connection.over) socket.destroy();
            else shakeHands(connection, socket, undefined);
          },
          failed(socket, message) {
            const connection = connections.get(nameOf(socket));
            if (connection !== undefined) over(connection, { kind: 'protocol', message });
          },
        });

  function accept(socket: Socket): void {
    socket.on('error', () => {});
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const address = canonicalAddress(socket.remoteAddress);
    const name = nameOf(socket);
    const refused: LinkFault | undefined = stopping
      ? { kind: 'stopping', message: 'the daemon is stopping' }
      : admission.refuseIncoming(address);
    if (refused !== undefined) {
      socket.resetAndDestroy();
      return say('refused', { name, address }, refused);
    }
    const connection = begin(name, {
      key: address,
      name,
      incoming: true,
      openedAt: clock.now(),
      socket,
      address,
      over: false,
    });
    // Also when it ends before there is a channel.
    socket.on('close', () => over(connection, { kind: 'closed', message: 'the connection is closed' }));
    if (tls === undefined) shakeHands(connection, socket, undefined);
    else tls.secure(socket);
  }

  function begin(id: string, connection: Connection): Connection {
    connections.set(id, connection);
    admission.began(connection.key);
    return connection;
  }

  function shakeHands(connection: Connection, socket: Socket, dialled: InfoHash | undefined): void {
    connection.socket = socket;
    const channel = new Channel({
      socket,
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
      ended: (fault) => over(connection, fault),
    });
    handshake.start();
  }

  function refusePeer(connection: Connection, peerId: string): LinkFault | undefined {
    connection.peerId = peerId;
    if (peerId === ownPeerId) {
      metSelf(connection);
      return SELF;
    }
    const banned = bans.reason(connection.address, peerId, clock.now());
    if (banned !== undefined) return { kind: 'banned', message: banned };
    // Who was dialled answers first, so that who dials learns whom there is a link with already.
    const old = connection.incoming ? undefined : links.get(peerId);
    return old === undefined || replaces(connection, old, ownPeerId, peerId, clock.now()) ? undefined : duplicate();
  }

  /** The other end of this connection is ours as well: whoever dialled it gets to know. */
  function metSelf({ incoming, socket }: Connection): void {
    if (!incoming) return;
    for (const other of connections.values()) {
      const { localPort, localAddress } = other.socket;
      if (!other.incoming && localPort === socket.remotePort && isSame(localAddress, socket.remoteAddress)) {
        other.peerId = ownPeerId;
        over(other, SELF);
      }
    }
  }

  function complete(connection: Connection, channel: Channel, introduction: Introduction): void {
    const { peerId } = introduction;
    const old = links.get(peerId);
    if (old !== undefined) {
      if (!replaces(connection, old, ownPeerId, peerId, clock.now())) return channel.end(duplicate());
      old.close(duplicate());
    }
    const link = new WireLink({
      channel,
      clock,
      limits,
      ownPeerId,
      introduction,
      torrents,
      ended: (_link, fault) => over(connection, fault),
    });
    connection.link = link;
    links.set(peerId, link);
    admission.linked();
    const { name, client, common } = link;
    lines.say('info', { peer: name, id: peerId, client, torrents: common.length, incoming: link.incoming }, 'link');
    link.start(deps.onLink(link));
    connection.outcome?.({ kind: 'linked', link });
    return undefined;
  }

  /** The end of every connection, whichever way it came. */
  function over(connection: Connection, fault: LinkFault): void {
    if (connection.over) return;
    connection.over = true;
    const { key, name, address, peerId, link, channel, socket } = connection;
    for (const [id, each] of connections) {
      if (each === connection) connections.delete(id);
    }
    if (link !== undefined && links.get(link.peerId) === link) links.delete(link.peerId);
    admission.ended(key, link !== undefined);
    if (channel === undefined) socket.destroy();
    else channel.end(fault);
    if (peerId !== undefined && peerId !== ownPeerId) judge({ address, peerId }, fault);
    say(link === undefined ? 'refused' : 'ended', { name, address, peerId }, fault);
    const known = fault.kind === 'duplicate' && peerId !== undefined ? links.get(peerId) : undefined;
    if (peerId === ownPeerId) connection.outcome?.({ kind: 'self' });
    else connection.outcome?.(known === undefined ? { kind: 'failed', fault } : { kind: 'linked', link: known });
  }

  function judge(peer: PeerKey, { kind, message }: LinkFault): void {
    if (kind === 'wrong-bytes') bans.ban(peer, message, clock.now());
    else if (kind === 'protocol' || kind === 'flood') bans.offence(peer, message, clock.now());
  }

  function say(
    what: 'refused' | 'ended',
    of: { readonly name: string; readonly address: string; readonly peerId?: string | undefined },
    { kind, message }: LinkFault,
  ): void {
    const fields = { peer: of.name, ...(of.peerId === undefined ? {} : { id: of.peerId }), kind, reason: message };
    lines.say(LEVELS[kind], fields, what === 'refused' ? 'link refused' : 'link ended');
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
        accepted: accept,
        failed: (error) => lines.say('warn', { err: error }, 'a connection of a peer could not be accepted'),
      });
      const bound = server.address() as AddressInfo;
      listening = { address: formatAuthority(bound.address, bound.port), port: bound.port };
      return listening;
    },
    dial(host, port, torrent) {
      const name = formatAuthority(host, port);
      for (const link of links.values()) {
        if (link.name === name || (link.address === host && link.listenPort === port)) {
          return Promise.resolve({ kind: 'linked', link });
        }
      }
      const refused: LinkFault | undefined = stopping
        ? { kind: 'stopping', message: 'the daemon is stopping' }
        : admission.refuseOutgoing(host);
      if (refused !== undefined) return Promise.resolve({ kind: 'failed', fault: refused });
      return new Promise((outcome) => {
        const timer = clock.setTimeout(
          () => over(connection, { kind: 'timeout', message: `no connection within ${limits.handshakeMs / 1000} s` }),
          limits.handshakeMs,
        );
        const socket = openSocket(
          { host, port, psk },
          () => {
            timer.clear();
            connection.address = canonicalAddress(socket.remoteAddress ?? '::');
            if (!connection.over) shakeHands(connection, socket, torrent);
          },
          (message) => over(connection, { kind: 'closed', message }),
        );
        const connection = begin(`dial ${++dials}`, {
          key: host,
          name,
          incoming: false,
          openedAt: clock.now(),
          socket,
          address: host,
          over: false,
          outcome: (result) => {
            timer.clear();
            outcome(result);
          },
        });
      });
    },
    setTorrents(ids) {
      const next = listedTorrents(ids);
      if (next.length === torrents.length && next.every((id, at) => id === torrents[at])) return;
      torrents = next;
      for (const link of links.values()) link.setTorrents(torrents);
    },
    all: () => [...links.values()],
    ban(peer, reason) {
      bans.ban(peer, reason, clock.now());
      const link = links.get(peer.peerId);
      if (link?.address === peer.address) link.close({ kind: 'banned', message: reason });
    },
    isBanned: ({ address, peerId }) => bans.reason(address, peerId, clock.now()) !== undefined,
    async stop() {
      stopping = true;
      const closed = new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
      for (const connection of [...connections.values()]) {
        over(connection, { kind: 'stopping', message: 'the daemon is stopping' });
      }
      await closed;
      lines.close();
    },
  };
}

const LEVELS = {
  closed: 'debug',
  duplicate: 'debug',
  stopping: 'debug',
  timeout: 'info',
  protocol: 'warn',
  flood: 'warn',
  banned: 'warn',
  'wrong-bytes': 'warn',
} as const satisfies Record<LinkFault['kind'], string>;

function isSame(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && canonicalAddress(a) === canonicalAddress(b);
}

function duplicate(): LinkFault {
  return { kind: 'duplicate', message: 'there is a link with this peer already' };
}
