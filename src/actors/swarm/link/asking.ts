/** What this side asks of the peer of one link: requests out, and what comes for them. */
import type { Clock } from '../../../core/clock.ts';
import { AllowedByPeer } from './allowed-by-peer.ts';
import { keyOf, refOf } from './block-ref.ts';
import type { Channel } from './channel.ts';
import type { LinkLimits } from './link-limits.ts';
import type { AnswerTime, BlockRef, LinkHandler } from './link.ts';
import { OwnRequests } from './own-requests.ts';

export interface AskingDeps {
  readonly channel: Channel;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** Requests that the peer takes at once. */
  readonly maxRequests: number;
  /** Undefined when nothing is to be told any more. */
  handler(): LinkHandler | undefined;
}

export class Asking {
  downBytes = 0;
  /** Requests that may be open at once. */
  readonly most: number;
  readonly #deps: AskingDeps;
  readonly #requests: OwnRequests;
  readonly #allowed = new AllowedByPeer();

  constructor(deps: AskingDeps) {
    const { channel, clock, limits, maxRequests, handler } = deps;
    this.#deps = deps;
    this.most = Math.min(limits.requests, maxRequests);
    this.#requests = new OwnRequests({
      clock,
      limits,
      timedOut: (block) =>
        channel.safely(() => {
          this.#tellCancel(block);
          handler()?.timedOut(block);
        }),
    });
  }

  /** From now on answers are understood. */
  start(): void {
    const { wire } = this.#deps.channel;
    wire.on('allowed-fast', (index) => this.#allow(index >>> 0));
    wire.on('reject', (index, offset, length) => this.#refused(refOf(index, offset, length)));
  }

  get outstanding(): number {
    return this.#requests.size;
  }

  request(block: BlockRef, time?: AnswerTime): boolean {
    const { channel } = this.#deps;
    const { index, offset, length } = block;
    if (channel.ended || this.#requests.size >= this.most) return false;
    const { peerChoking, peerAllowedFastSet } = channel.wire;
    if (peerChoking && !this.#allowed.has(index)) return false;
    if (!this.#requests.add(block, time)) return false;
    // The wire keeps a shorter list, and refuses what is not on it.
    const missing = peerChoking && !peerAllowedFastSet.includes(index | 0);
    if (missing) peerAllowedFastSet.push(index | 0);
    // The wire may call back within the call; its events tell the same, later.
    channel.wire.request(index | 0, offset, length, () => {});
    if (missing) peerAllowedFastSet.pop();
    return !channel.ended;
  }

  cancel(block: BlockRef): void {
    if (this.#requests.giveUp(block)) this.#tellCancel(block);
  }

  /** It was asked for, and has not come yet. */
  expects(block: BlockRef): boolean {
    return this.#requests.expects(block);
  }

  /** @param data valid until this returns, unless it is kept by the pool */
  came(block: BlockRef, data: Buffer): void {
    const { channel, handler } = this.#deps;
    if (channel.ended) return;
    const what = this.#requests.came(block);
    if (what === 'unasked') {
      channel.end({ kind: 'protocol', message: `a block that was not asked for: ${keyOf(block)}` });
    } else if (what === 'awaited') {
      this.downBytes += data.length;
      handler()?.block(block, data);
    }
  }

  stop(): void {
    this.#requests.stop();
    this.#allowed.clear();
  }

  #tellCancel({ index, offset, length }: BlockRef): void {
    const { channel } = this.#deps;
    if (!channel.ended) channel.wire.cancel(index | 0, offset, length);
  }

  #allow(index: number): void {
    this.#allowed.add(index);
    this.#deps.handler()?.allowedFast(index);
  }

  #refused(block: BlockRef): void {
    const { channel, handler } = this.#deps;
    if (channel.ended) return;
    const what = this.#requests.refused(block);
    // An answer costs the peer nothing.
    if (what !== 'unasked') channel.messages.giveBack(1);
    if (what === 'awaited') handler()?.rejected(block);
  }
}
