/**
 * A socket with a wire on it, made safe: whole and checked frames in, bounded bytes out, bounded messages a second, and
 * an end with one reason. What the messages mean is the business of the handshake and then of the link.
 *
 * Frames go to the wire's `_write`, synchronously, not through its stream: so nothing queues between socket and wire,
 * a fault stops the rest of the chunk, and the extended handshake, which the wire would decode with a decoder that
 * a few bytes send round for ever, is read here at its place in the order of messages. Blocks come to the wire without
 * their frames, in the buffers in which they stay.
 */
import type { Socket } from 'node:net';
import Wire from 'bittorrent-protocol';

import type { Clock } from '../../../core/clock.ts';
import { MAX_REQUEST_BYTES } from '../../../core/swarm/pieces.ts';
import type { BlockPool } from '../block-pool.ts';
import { Allowance } from './allowance.ts';
import { keyOf, refOf } from './block-ref.ts';
import { extension, type ExtensionName } from './extensions.ts';
import { checkFrame, ID } from './frame-check.ts';
import { FrameGuard, PIECE_HEADER_BYTES, PREFIX_BYTES } from './frame-guard.ts';
import type { LinkLimits } from './link-limits.ts';
import type { BlockRef, LinkFault } from './link.ts';
import type { PeerSocket } from './sockets.ts';

export interface ChannelDeps {
  readonly socket: PeerSocket;
  readonly blocks: BlockPool;
  readonly incoming: boolean;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** A fault of our own code while it handled a message, which ends this link only. */
  broken(error: unknown): void;
}

/** Who handles what the wire does not: the handshake at first, then the link. */
export interface ChannelUser {
  extendedHandshake(payload: Buffer): void;
  extension(name: ExtensionName, payload: Uint8Array): void;
  /** Whether a block was asked for that begins to come now, be it given up since. */
  expects(block: BlockRef): boolean;
  /** @param data valid until this returns, unless it is kept by the pool */
  block(block: BlockRef, data: Buffer): void;
  drained(): void;
  ended(fault: LinkFault): void;
}

/** Before the extended handshake nothing longer is needed. */
const MAX_FIRST_FRAMES = 16_384;
export const MAX_FRAME_BYTES = 262_144;
const MAX_PIECE_FRAME_BYTES = PIECE_HEADER_BYTES - PREFIX_BYTES + MAX_REQUEST_BYTES;
/** A chunk that is smaller, and ends no frame, counts as a message. */
const SMALL_CHUNK_BYTES = 256;
/** So much is sent before the turn of the event loop is over: it is about what stays in the processor's cache. */
const ENOUGH_BYTES = 512 * 1024;
const TICKS = 10;

export class Channel {
  readonly wire: Wire;
  readonly messages: Allowance;
  user: ChannelUser | undefined;
  /** When the last byte came. */
  heardAt: number;
  readonly #deps: ChannelDeps;
  readonly #guard: FrameGuard;
  #ended = false;
  #frames = 0;
  #full = false;
  #corked = false;
  #uncork: NodeJS.Immediate | undefined;
  #lent: { readonly bytes: Uint8Array; readonly taken: () => void } | undefined;
  /** When the last whole message came. */
  #messageAt: number;
  #sentAt: number;
  #takenAt: number;
  #written = 0;
  #timer: { clear(): void };

  constructor(deps: ChannelDeps) {
    const { incoming, clock, limits, blocks } = deps;
    const { socket, hear } = deps.socket;
    this.#deps = deps;
    this.heardAt = this.#messageAt = this.#sentAt = this.#takenAt = clock.now();
    this.messages = new Allowance(limits.messageBurst, limits.messagesPerSecond, clock.now());
    this.wire = new Wire(incoming ? 'tcpIncoming' : 'tcpOutgoing');
    // Where the wire notes haves; it would grow with their indexes.
    this.wire.peerPieces = { get: () => false, set: () => {} };
    this.wire._debug = () => {};
    // Both handshakes are written by handshake.ts.
    this.wire._extendedHandshakeSent = true;
    this.wire.use(extension('dt_files', (payload) => this.user?.extension('dt_files', payload)));
    this.wire.use(extension('ut_pex', (payload) => this.user?.extension('ut_pex', payload)));
    this.wire.on('error', () => {});
    // What the wire sends goes to the socket at once: nothing waits where nobody counts it.
    this.wire.push = (bytes) => bytes !== null && this.#write(bytes);
    this.#guard = new FrameGuard(
      {
        handshake: (bytes) => this.#pass(bytes),
        frame: (bytes) => this.#frame(bytes),
        room: (index, offset, length) => this.#room(refOf(index, offset, length)),
        block: (index, offset, data) => this.#block(refOf(index, offset, data.length), data),
        unused: (data) => blocks.give(data),
        fault: (message) => this.end({ kind: 'protocol', message }),
      },
      MAX_FIRST_FRAMES,
    );
    hear((chunk) => this.#chunk(chunk));
    socket.on('error', (error) => this.end({ kind: 'closed', message: error.message }));
    socket.on('end', () => this.end({ kind: 'closed', message: 'the peer has closed the connection' }));
    socket.on('close', () => this.end({ kind: 'closed', message: 'the connection is closed' }));
    this.#timer = this.#nextTick();
  }

  get #socket(): Socket {
    return this.#deps.socket.socket;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get writable(): boolean {
    if (this.#ended) return false;
    if (this.#socket.writableLength > this.#deps.limits.highWater) this.#full = true;
    return !this.#full;
  }

  /** The extended handshake is done: frames may be as long as the protocol has them. */
  open(): void {
    this.#guard.maxFrame = MAX_FRAME_BYTES;
    this.#guard.maxPiece = MAX_PIECE_FRAME_BYTES;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    // Nothing could be heard meanwhile.
    this.#messageAt = this.#deps.clock.now();
    this.#socket.resume();
  }

  /**
   * Says when the socket has taken these bytes, which `send` gives to the wire; at once when it does not send them. When
   * the channel ends before, nobody says whether the system still reads them, so nothing is said.
   */
  lend(bytes: Uint8Array, taken: () => void, send: () => void): void {
    this.#lent = { bytes, taken };
    send();
    if (this.#lent !== undefined) taken();
    this.#lent = undefined;
  }

  /** Takes so many messages off what the peer may send; false, and the end of the link, if there are not so many. */
  charge(count: number): boolean {
    if (this.messages.take(count, this.#deps.clock.now())) return true;
    this.end({ kind: 'flood', message: 'too many messages' });
    return false;
  }

  /** Idempotent: the first fault is the reason. What is queued is not sent any more. */
  end(fault: LinkFault): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#guard.stop();
    this.#timer.clear();
    this.#socket.destroy();
    this.wire.destroy();
    this.user?.ended(fault);
  }

  #chunk(chunk: Buffer): void {
    const before = this.#frames;
    this.heardAt = this.#deps.clock.now();
    this.#guard.push(chunk);
    // Chunks are work too: who cuts its messages into bytes pays for each.
    if (chunk.length < SMALL_CHUNK_BYTES && this.#frames === before && !this.#ended) this.charge(1);
  }

  #frame(frame: Buffer): void {
    this.#frames += 1;
    this.#messageAt = this.heardAt;
    const id = frame[PREFIX_BYTES];
    if (id === undefined) {
      this.charge(1);
      return;
    }
    const verdict = checkFrame(frame);
    if (typeof verdict === 'object') return this.end({ kind: 'protocol', message: verdict.fault });
    if (!this.charge(1)) return undefined;
    if (verdict === 'ignore') return undefined;
    if (id === ID.extended && frame[PREFIX_BYTES + 1] === 0) {
      return this.safely(() => this.user?.extendedHandshake(frame.subarray(PREFIX_BYTES + 2)));
    }
    return this.#pass(frame);
  }

  /** No memory for what nobody asked for. A block is the answer to a request, or else the end of the link. */
  #room(block: BlockRef): Buffer | undefined {
    if (this.user?.expects(block) === true) return this.#deps.blocks.take(block.length);
    this.end({ kind: 'protocol', message: `a block that was not asked for: ${keyOf(block)}` });
    return undefined;
  }

  #block(block: BlockRef, data: Buffer): void {
    this.#frames += 1;
    this.#messageAt = this.heardAt;
    this.safely(() => {
      // What the wire does with a `piece` once it has read it.
      this.wire._onPiece(block.index | 0, block.offset, data);
      this.user?.block(block, data);
    });
    this.#deps.blocks.shown(data);
  }

  #pass(bytes: Buffer): void {
    this.safely(() => this.wire._write(bytes, () => {}));
  }

  /** What a handler throws ends this link, not the thread that all links share. */
  safely(handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#deps.broken(error);
      this.end({ kind: 'closed', message: `a message could not be handled: ${String(error)}` });
    }
  }

  /** The wire hands over header and block apart: they, and what else this turn of the event loop has, leave together. */
  #write(bytes: Uint8Array): boolean {
    if (this.#ended) return false;
    const { clock, limits } = this.#deps;
    const socket = this.#socket;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      if (this.#uncork === undefined) this.#uncork = setImmediate(() => this.#turnEnds());
    }
    this.#sentAt = clock.now();
    if (socket.writableLength === 0) this.#takenAt = this.#sentAt;
    socket.write(bytes, this.#lent?.bytes === bytes ? this.#takenBack(this.#lent.taken) : this.#taken);
    if (socket.writableLength >= ENOUGH_BYTES) this.#leave();
    if (socket.writableLength <= limits.mostQueued) return true;
    this.end({ kind: 'flood', message: `asks for more than it reads: ${socket.writableLength} bytes wait` });
    return false;
  }

  #turnEnds(): void {
    this.#uncork = undefined;
    this.#leave();
  }

  #leave(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }

  #takenBack(taken: () => void): (error?: Error | null) => void {
    this.#lent = undefined;
    return (error) => {
      if (error === undefined || error === null) taken();
      this.#taken();
    };
  }

  readonly #taken = (): void => {
    if (!this.#full || this.#ended || this.#socket.writableLength > this.#deps.limits.highWater / 2) return;
    this.#full = false;
    this.safely(() => this.user?.drained());
  };

  #nextTick(): { clear(): void } {
    const { clock, limits } = this.#deps;
    const soonest = Math.min(limits.keepAliveMs, limits.silenceMs, limits.stallMs);
    return clock.setTimeout(() => this.#tick(), soonest / TICKS);
  }

  #tick(): void {
    const { clock, limits } = this.#deps;
    const socket = this.#socket;
    const now = clock.now();
    const written = socket.bytesWritten - socket.writableLength;
    if (written !== this.#written || socket.writableLength === 0) this.#takenAt = now;
    this.#written = written;
    if (now - this.#takenAt >= limits.stallMs) {
      return this.end({ kind: 'timeout', message: `has taken nothing for ${limits.stallMs / 1000} s` });
    }
    if (!socket.isPaused() && now - this.#messageAt >= limits.silenceMs) {
      return this.end({ kind: 'timeout', message: `silent for ${limits.silenceMs / 1000} s` });
    }
    if (now - this.#sentAt >= limits.keepAliveMs && this.wire.peerId !== null) {
      this.wire.keepAlive();
    }
    this.#timer = this.#nextTick();
    return undefined;
  }
}
