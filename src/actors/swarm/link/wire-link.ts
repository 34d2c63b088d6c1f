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
import { Asking } from './asking.ts';
import { refOf } from './block-ref.ts';
import type { Channel, ChannelUser } from './channel.ts';
import type { ExtensionName } from './extensions.ts';
import { ExchangePace } from './exchange-pace.ts';
import type { Introduction } from './handshake.ts';
import type { LinkLimits } from './link-limits.ts';
import type { AnswerTime, BlockRef, Link, LinkFault, LinkHandler } from './link.ts';
import { extraCost } from './message-cost.ts';
import { Pulse } from './pulse.ts';
import { SharedTorrents } from './shared-torrents.ts';
import { TheirRequests, type Respond } from './their-requests.ts';

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
  upBytes = 0;
  readonly #deps: WireLinkDeps;
  readonly #channel: Channel;
  readonly #wire: Wire;
  readonly #shared: SharedTorrents;
  readonly #asking: Asking;
  readonly #theirs = new TheirRequests();
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
    const wire = this.#wire;
    wire.on('choke', () => this.#heard()?.choked(true));
    wire.on('unchoke', () => this.#heard()?.choked(false));
    wire.on('interested', () => this.#heard()?.interested(true));
    wire.on('uninterested', () => this.#heard()?.interested(false));
    wire.on('have', (index) => this.#heard()?.have(index >>> 0));
    wire.on('request', (index, offset, length, respond) => this.#asks(refOf(index, offset, length), respond));
    wire.on('cancel', (index, offset, length) => this.#cancels(refOf(index, offset, length)));
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
    if (data.length !== block.length) throw new RangeError(`${data.length} bytes for a block of ${block.length}`);
    const respond = this.#theirs.take(block);
    if (respond === undefined || this.#channel.ended) return done();
    this.#channel.messages.giveBack(1);
    this.upBytes += data.length;
    this.#channel.lend(data, done, () => respond(null, data));
    return undefined;
  }

  reject(block: BlockRef): void {
    if (this.#theirs.take(block) === undefined) return;
    const { index, offset, length } = block;
    this.#out(() => this.#wire.reject(index | 0, offset, length));
  }

  allowFast(index: number): void {
    if (this.#wire.allowedFastSet.length >= this.#deps.limits.allowedFast) return;
    this.#out(() => this.#wire.allowedFast(index | 0));
  }

  disallowFast(index: number): void {
    const { allowedFastSet } = this.#wire;
    const at = allowedFastSet.indexOf(index | 0);
    if (at >= 0) allowedFastSet.splice(at, 1);
  }

  choke(choking: boolean): void {
    if (choking === this.#wire.amChoking || this.#channel.ended) return;
    if (!choking) return this.#out(() => this.#wire.unchoke());
    // The choke goes first, and then the wire rejects what is open, allowed-fast indexes aside: a reject on an unchoked
    // link takes a promise back.
    const voided = this.#theirs.takeAll((index) => this.#wire.allowedFastSet.includes(index | 0));
    this.#out(() => this.#wire.choke());
    for (const block of voided) this.#heard()?.cancelled(block);
    return undefined;
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
    this.#theirs.clear();
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
    if (message === undefined) return;
    if (!this.#channel.charge(extraCost(message))) return;
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

  #asks(block: BlockRef, respond: Respond): void {
    if (this.#channel.ended) return;
    const fault = this.#theirs.add(block, respond);
    if (fault === undefined) this.#handler?.requested(block);
    else this.close(fault);
  }

  /** The wire has forgotten the request; every request is answered, so this one by a reject. */
  #cancels(block: BlockRef): void {
    if (this.#channel.ended || !this.#theirs.has(block)) return;
    this.#handler?.cancelled(block);
    this.reject(block);
  }
}
