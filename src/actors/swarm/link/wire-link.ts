/** A Link over a wire: what goes out is bounded and counted, what comes in is checked before the handler hears of it. */
import type { Socket } from 'node:net';
import type Wire from 'bittorrent-protocol';

import type { Clock } from '../../../core/clock.ts';
import { asDebtorrentError } from '../../../core/errors.ts';
import type { InfoHash } from '../../../core/ids.ts';
import { decodeFilesMessage } from '../../../core/swarm/decode-message.ts';
import { encodeFilesMessage } from '../../../core/swarm/encode-message.ts';
import type { FilesMessage } from '../../../core/swarm/messages.ts';
import type { PeerAddress } from '../../../core/swarm/peer-address.ts';
import { SharedTorrents } from '../../../core/swarm/shared-torrents.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import type { Channel, ChannelUser } from './channel.ts';
import type { ExtensionName } from './extensions.ts';
import { ExchangePace } from './exchange-pace.ts';
import type { Introduction } from './handshake.ts';
import type { LinkLimits } from './link-limits.ts';
import type { AnswerTime, BlockRef, Link, LinkFault, LinkHandler } from './link.ts';
import { messageCost } from './message-cost.ts';
import { Pulse } from './pulse.ts';

export interface WireLinkDeps {
  readonly channel: Channel;
  readonly socket: Socket;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly ownPeerId: string;
  readonly introduction: Introduction;
  readonly torrents: readonly InfoHash[];
  /** Called before the handler hears of it. */
  ended(fault: LinkFault): void;
}

export class WireLink implements Link, ChannelUser {
  readonly peerId: string;
  readonly address: string;
  readonly name: string;
  readonly listenPort: number | undefined;
  readonly client: string;
  readonly openedAt: number;
  readonly incoming: boolean;
  readonly #deps: WireLinkDeps;
  readonly #channel: Channel;
  readonly #wire: Wire;
  readonly #shared: SharedTorrents;
  readonly #asking: Asking;
  readonly #answering: Answering;
  readonly #exchanges = new ExchangePace();
  readonly #pulse: Pulse;
  #handler: LinkHandler | undefined;
  #fault: LinkFault | undefined;

  constructor(deps: WireLinkDeps) {
    const { channel, introduction, clock, limits, ownPeerId } = deps;
    this.#deps = deps;
    this.#channel = channel;
    this.#wire = channel.wire;
    ({
      peerId: this.peerId,
      address: this.address,
      name: this.name,
      openedAt: this.openedAt,
      incoming: this.incoming,
    } = introduction);
    this.listenPort = introduction.hello.listenPort;
    this.client = introduction.hello.client;
    const ends = introduction.incoming
      ? { dialler: this.peerId, listener: ownPeerId }
      : { dialler: ownPeerId, listener: this.peerId };
    this.#shared = new SharedTorrents(ends, deps.torrents, introduction.hello.torrents);
    const { maxRequests } = introduction.hello;
    this.#asking = new Asking({ channel, clock, limits, maxRequests, handler: () => this.#heard() });
    this.#answering = new Answering({ channel, limits, handler: () => this.#heard() });
    this.#pulse = new Pulse({
      socket: deps.socket,
      clock,
      answerMs: limits.pulseMs,
      heardAt: () => channel.heardAt,
      send: (message) => this.send(message),
      gone: (fault) => this.close(fault),
    });
    channel.user = this;
  }

  /** From now on the handler hears of everything; if the link has ended already, of that. */
  start(handler: LinkHandler): void {
    if (this.#fault !== undefined) return handler.closed(this.#fault);
    this.#handler = handler;
    this.#asking.start();
    this.#answering.start();
    const wire = this.#wire;
    wire.on('choke', () => this.#heard()?.choked(true));
    wire.on('unchoke', () => this.#heard()?.choked(false));
    wire.on('interested', () => this.#heard()?.interested(true));
    wire.on('uninterested', () => this.#heard()?.interested(false));
    wire.on('have', (index) => this.#heard()?.have(index >>> 0));
    return undefined;
  }

  get common(): readonly InfoHash[] {
    return this.#shared.common;
  }

  get heardAt(): number {
    return this.#channel.heardAt;
  }

  get peerChoking(): boolean {
    return this.#wire.peerChoking;
  }

  get amChoking(): boolean {
    return this.#wire.amChoking;
  }

  get peerInterested(): boolean {
    return this.#wire.peerInterested;
  }

  get downBytes(): number {
    return this.#asking.downBytes;
  }

  get upBytes(): number {
    return this.#answering.upBytes;
  }

  get outstanding(): number {
    return this.#asking.outstanding;
  }

  get maxRequests(): number {
    return this.#asking.most;
  }

  get writable(): boolean {
    return this.#channel.writable;
  }

  send(message: FilesMessage): void {
    this.#extended(this.#deps.introduction.hello.extensions.files, encodeFilesMessage(message));
  }

  /** What this side has now; the peer is told. */
  setTorrents(torrents: readonly InfoHash[]): void {
    const changed = this.#shared.update({ own: torrents });
    this.send({ type: 'torrents', ids: this.#shared.blinded });
    if (changed) this.#heard()?.torrents(this.common);
  }

  have(index: number): void {
    this.#out(() => this.#wire.have(index | 0));
  }

  request(block: BlockRef, time?: AnswerTime): boolean {
    return this.#asking.request(block, time);
  }

  cancel(block: BlockRef): void {
    this.#asking.cancel(block);
  }

  piece(block: BlockRef, data: Uint8Array, done: () => void = () => {}): void {
    this.#answering.piece(block, data, done);
  }

  reject(block: BlockRef): void {
    this.#answering.reject(block);
  }

  allowFast(index: number): void {
    this.#answering.allowFast(index);
  }

  disallowFast(index: number): void {
    this.#answering.disallowFast(index);
  }

  choke(choking: boolean): void {
    this.#answering.choke(choking);
  }

  interest(interested: boolean): void {
    if (interested === this.#wire.amInterested) return;
    this.#out(() => (interested ? this.#wire.interested() : this.#wire.uninterested()));
  }

  sendPeers(added: readonly PeerAddress[]): void {
    const { pex } = this.#deps.introduction.hello.extensions;
    const payload = pex === undefined ? undefined : this.#exchanges.tell(added, this.#deps.clock.now());
    if (pex !== undefined && payload !== undefined) this.#extended(pex, payload);
  }

  pause(): void {
    this.#channel.pause();
  }

  resume(): void {
    this.#channel.resume();
  }

  /** Asks the peer whether it is there; the link ends if it does not answer. */
  check(): void {
    this.#pulse.ask();
  }

  close(fault: LinkFault): void {
    this.#channel.end(fault);
  }

  drained(): void {
    this.#heard()?.drained();
  }

  /** Another extended handshake (BEP 10 allows it) would change nothing that may change. */
  extendedHandshake(): void {}

  extension(name: ExtensionName, payload: Uint8Array): void {
    if (this.#channel.ended) return;
    try {
      if (name === 'ut_pex') this.#exchange(payload);
      else this.#files(payload);
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      if (code !== 'PEER_PROTOCOL') throw error;
      this.close({ kind: 'protocol', message });
    }
  }

  expects(block: BlockRef): boolean {
    return this.#asking.expects(block);
  }

  block(block: BlockRef, data: Buffer): void {
    this.#asking.came(block, data);
  }

  ended(fault: LinkFault): void {
    this.#fault = fault;
    this.#asking.stop();
    this.#pulse.stop();
    this.#answering.stop();
    this.#deps.ended(fault);
    this.#handler?.closed(fault);
    this.#handler = undefined;
  }

  /** The handler, as long as it wants to hear. */
  #heard(): LinkHandler | undefined {
    return this.#channel.ended ? undefined : this.#handler;
  }

  #out(send: () => void): void {
    if (!this.#channel.ended) send();
  }

  #extended(id: number, payload: Uint8Array): void {
    this.#out(() => this.#wire.extended(id, payload));
  }

  #files(payload: Uint8Array): void {
    const message = decodeFilesMessage(payload);
    if (!this.#channel.charge(messageCost(payload.length, message)) || message === undefined) return;
    if (message.type !== 'torrents') {
      const rest = this.#pulse.rest(message);
      return rest && this.#heard()?.message(rest);
    }
    if (this.#shared.update({ theirs: message.ids })) this.#heard()?.torrents(this.common);
    return undefined;
  }

  #exchange(payload: Uint8Array): void {
    const addresses = this.#exchanges.read(payload, this.address, this.#deps.clock.now());
    if (addresses.length > 0) this.#heard()?.exchanged(addresses);
  }
}
