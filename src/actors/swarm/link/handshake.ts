/** From a connected socket to a peer that is known: BEP 3's handshake, then BEP 10's (PROTOCOL.md, Connections). */
import type { Clock } from '../../../core/clock.ts';
import { asDebtorrentError } from '../../../core/errors.ts';
import type { InfoHash } from '../../../core/ids.ts';
import { blindedList } from '../../../core/swarm/blind.ts';
import {
  decodeExtendedHandshake,
  encodeExtendedHandshake,
  type ExtendedHandshake,
} from '../../../core/swarm/extended-handshake.ts';
import type { Channel, ChannelUser } from './channel.ts';
import { EXTENSIONS } from './extensions.ts';
import type { LinkLimits } from './link-limits.ts';
import type { LinkFault } from './link.ts';

/** What is known of a peer when the handshakes are done. */
export interface Introduction {
  readonly peerId: string;
  readonly address: string;
  readonly name: string;
  readonly incoming: boolean;
  readonly openedAt: number;
  readonly hello: ExtendedHandshake;
}

export interface HandshakeDeps {
  readonly channel: Channel;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly ownPeerId: string;
  readonly client: string;
  readonly listenPort: number | undefined;
  readonly address: string;
  readonly name: string;
  readonly openedAt: number;
  /** The torrent that this side dials with; absent when the peer has dialled. */
  readonly dialled: InfoHash | undefined;
  torrents(): readonly InfoHash[];
  /** Why this peer is not wanted, if so. */
  refuse(peerId: string): LinkFault | undefined;
  done(introduction: Introduction): void;
  ended(fault: LinkFault, peerId: string | undefined): void;
}

export class Handshake implements ChannelUser {
  readonly #deps: HandshakeDeps;
  #timer: { clear(): void } | undefined;
  #peerId: string | undefined;

  constructor(deps: HandshakeDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { channel, clock, limits, dialled, ownPeerId } = this.#deps;
    channel.user = this;
    this.#timer = clock.setTimeout(
      () => channel.end({ kind: 'timeout', message: `no handshake within ${limits.handshakeMs / 1000} s` }),
      limits.handshakeMs,
    );
    channel.wire.on('handshake', (infoHash, peerId, { fast, extended }) => {
      if (channel.ended) return;
      const fault = fast && extended ? this.#met(infoHash, peerId) : lacking('the fast extension or BEP 10');
      if (fault !== undefined) channel.end(fault);
    });
    if (dialled !== undefined) channel.wire.handshake(dialled, ownPeerId, { fast: true });
  }

  extendedHandshake(payload: Buffer): void {
    const { channel, address, name, dialled, openedAt, done } = this.#deps;
    const peerId = this.#peerId;
    if (peerId === undefined) return;
    let hello;
    try {
      hello = decodeExtendedHandshake(payload);
    } catch (error) {
      return channel.end({ kind: 'stranger', message: asDebtorrentError(error).message });
    }
    this.#timer?.clear();
    channel.open();
    return done({ peerId, address, name, incoming: dialled === undefined, openedAt, hello });
  }

  extension(): void {
    this.#deps.channel.end({ kind: 'protocol', message: 'a message before the extended handshake' });
  }

  expects(): boolean {
    this.extension();
    return false;
  }

  block(): void {}

  drained(): void {}

  ended(fault: LinkFault): void {
    this.#timer?.clear();
    this.#deps.ended(fault, this.#peerId);
  }

  #met(infoHash: string, peerId: string): LinkFault | undefined {
    const { channel, ownPeerId, dialled, client, listenPort, torrents, refuse } = this.#deps;
    this.#peerId = peerId;
    const torrent = infoHash as InfoHash;
    if (dialled !== undefined && torrent !== dialled) return lacking('the torrent that it was asked for');
    if (!torrents().includes(torrent)) return { kind: 'closed', message: 'asks for a torrent that is not shared here' };
    const refused = refuse(peerId);
    if (refused !== undefined) return refused;
    if (dialled === undefined) channel.wire.handshake(infoHash, ownPeerId, { fast: true });
    channel.wire.haveNone();
    const ends =
      dialled === undefined ? { dialler: peerId, listener: ownPeerId } : { dialler: ownPeerId, listener: peerId };
    const hello = encodeExtendedHandshake({
      client,
      listenPort,
      torrents: blindedList(ends, torrents()),
      extensions: { files: EXTENSIONS.dt_files, pex: EXTENSIONS.ut_pex },
    });
    channel.wire.extended(0, hello);
    return undefined;
  }
}

function lacking(what: string): LinkFault {
  return { kind: 'stranger', message: `the peer's handshake lacks ${what}` };
}
