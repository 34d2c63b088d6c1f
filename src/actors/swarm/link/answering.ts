/** What the peer of one link asks of this side: requests in, and what goes out for them. */
import { refOf } from './block-ref.ts';
import type { Channel } from './channel.ts';
import type { LinkLimits } from './link-limits.ts';
import type { BlockRef, LinkHandler } from './link.ts';
import { TheirRequests, type Respond } from './their-requests.ts';

export interface AnsweringDeps {
  readonly channel: Channel;
  readonly limits: LinkLimits;
  /** Undefined when nothing is to be told any more. */
  handler(): LinkHandler | undefined;
}

export class Answering {
  upBytes = 0;
  readonly #deps: AnsweringDeps;
  readonly #requests = new TheirRequests();

  constructor(deps: AnsweringDeps) {
    this.#deps = deps;
  }

  /** From now on requests are heard. */
  start(): void {
    const { wire } = this.#deps.channel;
    wire.on('request', (index, offset, length, respond) => this.#asked(refOf(index, offset, length), respond));
    wire.on('cancel', (index, offset, length) => this.#cancelled(refOf(index, offset, length)));
  }

  piece(block: BlockRef, data: Uint8Array, done: () => void): void {
    const { channel } = this.#deps;
    if (data.length !== block.length) throw new RangeError(`${data.length} bytes for a block of ${block.length}`);
    const respond = this.#requests.take(block);
    if (respond === undefined || channel.ended) return done();
    channel.messages.giveBack(1);
    this.upBytes += data.length;
    channel.lend(data, done, () => respond(null, data));
    return undefined;
  }

  reject(block: BlockRef): void {
    const { channel } = this.#deps;
    if (this.#requests.take(block) === undefined || channel.ended) return;
    const { index, offset, length } = block;
    channel.wire.reject(index | 0, offset, length);
  }

  allowFast(index: number): void {
    const { channel, limits } = this.#deps;
    if (channel.ended || channel.wire.allowedFastSet.length >= limits.allowedFast) return;
    channel.wire.allowedFast(index | 0);
  }

  disallowFast(index: number): void {
    const { allowedFastSet } = this.#deps.channel.wire;
    const at = allowedFastSet.indexOf(index | 0);
    if (at >= 0) allowedFastSet.splice(at, 1);
  }

  choke(choking: boolean): void {
    const { channel, handler } = this.#deps;
    const { wire } = channel;
    if (choking === wire.amChoking || channel.ended) return;
    if (!choking) {
      wire.unchoke();
      return;
    }
    // The choke goes first, and then the wire rejects what is open, allowed-fast indexes aside: a reject on an unchoked
    // link takes a promise back.
    const voided = this.#requests.takeAll((index) => wire.allowedFastSet.includes(index | 0));
    wire.choke();
    for (const block of voided) handler()?.cancelled(block);
  }

  stop(): void {
    this.#requests.clear();
  }

  #asked(block: BlockRef, respond: Respond): void {
    const { channel, handler } = this.#deps;
    if (channel.ended) return;
    const fault = this.#requests.add(block, respond);
    if (fault === undefined) handler()?.requested(block);
    else channel.end(fault);
  }

  /** The wire has forgotten the request; every request is answered, so this one by a reject. */
  #cancelled(block: BlockRef): void {
    const { channel, handler } = this.#deps;
    if (channel.ended || !this.#requests.has(block)) return;
    handler()?.cancelled(block);
    this.reject(block);
  }
}
