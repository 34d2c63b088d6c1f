/** Every connection from its first moment to its last, and the link that there is with each peer. */
import type { Socket } from 'node:net';

import type { Clock } from '../../../core/clock.ts';
import { canonicalAddress } from '../../../core/swarm/peer-address.ts';
import type { PeerKey } from '../protocol.ts';
import type { Admission } from './admission.ts';
import type { BanTable } from './ban-table.ts';
import type { Channel } from './channel.ts';
import type { LineLog } from './line-log.ts';
import type { Link, LinkFault } from './link.ts';
import type { WireLink } from './wire-link.ts';

export type DialOutcome =
  /** There is a link with whoever is there, made now or before; `reached`: this dial has met the peer at its address. */
  | { readonly kind: 'linked'; readonly link: Link; readonly reached: boolean }
  /** This machine itself listens there. */
  | { readonly kind: 'self' }
  /** `reached`: somebody is there and closed without an answer, as one does that does not share the torrent. */
  | { readonly kind: 'failed'; readonly fault: LinkFault; readonly reached: boolean };

export interface Connection {
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
  over?: boolean;
  outcome?: (outcome: DialOutcome) => void;
}

export interface RosterDeps {
  readonly ownPeerId: string;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly bans: BanTable;
  readonly lines: LineLog;
}

export const SELF: LinkFault = { kind: 'duplicate', message: 'it is this daemon itself' };

const LEVELS = {
  closed: 'debug',
  duplicate: 'debug',
  stopping: 'debug',
  timeout: 'info',
  stranger: 'info',
  protocol: 'warn',
  flood: 'warn',
  banned: 'warn',
  'wrong-bytes': 'warn',
} as const satisfies Record<LinkFault['kind'], string>;

export class Roster {
  readonly #deps: RosterDeps;
  readonly #connections = new Set<Connection>();
  readonly #incoming = new Map<string, Connection>();
  readonly #links = new Map<string, WireLink>();

  constructor(deps: RosterDeps) {
    this.#deps = deps;
  }

  links(): WireLink[] {
    return [...this.#links.values()];
  }

  linkWith(peerId: string): WireLink | undefined {
    return this.#links.get(peerId);
  }

  /** A link with who listens at an address, or was dialled there. */
  linkAt(host: string, port: number, name: string): WireLink | undefined {
    return this.links().find((link) => link.name === name || (link.address === host && link.listenPort === port));
  }

  /** An incoming connection that is not over, by its name. */
  incoming(name: string): Connection | undefined {
    return this.#incoming.get(name);
  }

  begin(connection: Connection): Connection {
    this.#connections.add(connection);
    if (connection.incoming) this.#incoming.set(connection.name, connection);
    this.#deps.admission.began(connection.key, connection.incoming);
    return connection;
  }

  linked(connection: Connection, link: WireLink): void {
    connection.link = link;
    this.#links.set(link.peerId, link);
    this.#deps.admission.linked(connection.incoming);
  }

  /** The end of every connection, whichever way it came. Idempotent. */
  over(connection: Connection, fault: LinkFault): void {
    if (connection.over === true) return;
    connection.over = true;
    const { ownPeerId, admission } = this.#deps;
    const { key, name, incoming, address, peerId, link, channel, socket } = connection;
    this.#connections.delete(connection);
    if (this.#incoming.get(name) === connection) this.#incoming.delete(name);
    if (link !== undefined && this.#links.get(link.peerId) === link) this.#links.delete(link.peerId);
    admission.ended(key, incoming, link !== undefined);
    if (channel === undefined) socket.destroy();
    else channel.end(fault);
    if (link !== undefined) this.#judge(link, fault);
    this.say(link === undefined ? 'link refused' : 'link ended', connection, fault);
    const known = fault.kind === 'duplicate' && peerId !== undefined ? this.#links.get(peerId) : undefined;
    const reached = channel !== undefined && peerId === undefined && fault.kind === 'closed';
    if (peerId === ownPeerId) connection.outcome?.({ kind: 'self' });
    else if (known === undefined) connection.outcome?.({ kind: 'failed', fault, reached });
    else connection.outcome?.({ kind: 'linked', link: known, reached: known.address === address });
  }

  allOver(fault: LinkFault): void {
    for (const connection of [...this.#connections]) this.over(connection, fault);
  }

  /** Links whose ends on this machine have one of these addresses. */
  from(addresses: ReadonlySet<string>): WireLink[] {
    return [...this.#connections].flatMap(({ link, socket: { localAddress } }) => {
      if (link === undefined || localAddress === undefined) return [];
      return addresses.has(canonicalAddress(localAddress).replace(/%.*$/, '')) ? [link] : [];
    });
  }

  /** The other end of this connection is ours as well: whoever dialled it gets to know. */
  metSelf({ incoming, socket }: Connection): void {
    if (!incoming) return;
    for (const other of this.#connections) {
      const { localPort, localAddress } = other.socket;
      if (other.incoming || localPort !== socket.remotePort || !isSame(localAddress, socket.remoteAddress)) continue;
      other.peerId = this.#deps.ownPeerId;
      this.over(other, SELF);
    }
  }

  say(what: 'link refused' | 'link ended', of: Pick<Connection, 'name' | 'peerId'>, fault: LinkFault): void {
    const { kind, message } = fault;
    const id = of.peerId === undefined ? {} : { id: of.peerId };
    this.#deps.lines.say(LEVELS[kind], { peer: of.name, ...id, kind, reason: message }, what);
  }

  /**
   * Only peers of this protocol, which there was a link with: any BitTorrent client may come for a torrent whose id it
   * knows, again and again, and peers behind the same address are not to be shut out for it.
   */
  #judge({ address, peerId }: PeerKey, { kind, message }: LinkFault): void {
    const { bans, clock } = this.#deps;
    const peer = { address, peerId };
    if (kind === 'wrong-bytes') bans.ban(peer, message, clock.now());
    else if (kind === 'protocol' || kind === 'flood') bans.offence(peer, message, clock.now());
  }
}

function isSame(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && canonicalAddress(a) === canonicalAddress(b);
}
