/**
 * Cuts what a peer sends into the handshake, whole frames and blocks before anything else sees it. The wire behind it
 * keeps what is incomplete by concatenating again and again and takes any length; here a frame that is too long is
 * refused when its length has been read, and each byte is copied at most once, however small the chunks are. Blocks
 * (`piece`, nearly all of the traffic) are put together where they stay until they are written.
 */
export interface FrameSink {
  /** The 68 bytes of the handshake. */
  handshake(bytes: Buffer): void;
  /** A frame with its length prefix, valid until the call returns. 4 bytes are a keep-alive. */
  frame(bytes: Buffer): void;
  /** A buffer for the block of a `piece` message that begins; undefined when there can be no such block. */
  room(index: number, offset: number, length: number): Buffer | undefined;
  /** The block is whole. `data` is what `room` gave. */
  block(index: number, offset: number, data: Buffer): void;
  /** What `room` gave will not be filled. */
  unused(data: Buffer): void;
  fault(message: string): void;
}

export const HANDSHAKE_BYTES = 68;
export const PREFIX_BYTES = 4;
/** Prefix, message number, index and offset: what comes before the block. */
export const PIECE_HEADER_BYTES = 13;
const PIECE = 7;
const PROTOCOL = Buffer.from('\u0013BitTorrent protocol', 'latin1');
const TLS_HANDSHAKE = 0x16;

export class FrameGuard {
  /** The longest frame that is taken now, its prefix aside, and the longest `piece`. */
  maxFrame: number;
  maxPiece: number;
  readonly #sink: FrameSink;
  #stage: 'handshake' | 'head' | 'frame' | 'block' | 'stopped' = 'handshake';
  /** Bytes of what is incomplete, its whole length, and how much of it is there. */
  #part: Buffer | undefined = Buffer.allocUnsafeSlow(HANDSHAKE_BYTES);
  #filled = 0;
  /** Of the block that is incomplete. */
  #index = 0;
  #offset = 0;
  /** Kept from frame to frame: frames end before the next begins. Grows to what was needed, at most to a whole frame. */
  #buffer = Buffer.alloc(0);
  readonly #head = Buffer.allocUnsafeSlow(PIECE_HEADER_BYTES);

  constructor(sink: FrameSink, maxFrame: number) {
    this.#sink = sink;
    this.maxFrame = maxFrame;
    this.maxPiece = maxFrame;
  }

  /** Nothing is handed on any more, also of the chunk in work. */
  stop(): void {
    if (this.#stage === 'block' && this.#part !== undefined) this.#sink.unused(this.#part);
    this.#stage = 'stopped';
    this.#part = undefined;
    this.#buffer = Buffer.alloc(0);
  }

  /** @param chunk valid until this returns */
  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length && this.#stage !== 'stopped') {
      position = this.#part === undefined ? this.#whole(chunk, position) : this.#fill(this.#part, chunk, position);
    }
  }

  /** Takes a frame out of the chunk as it is, or begins a part. */
  #whole(chunk: Buffer, position: number): number {
    const left = chunk.length - position;
    const length = left < PREFIX_BYTES ? undefined : chunk.readUInt32BE(position);
    if (length !== undefined && this.#refused(length, chunk[position + PREFIX_BYTES])) return position;
    // A head that is not whole may be that of a block.
    if (length === undefined || (left < PIECE_HEADER_BYTES && left < PREFIX_BYTES + length)) {
      this.#begin('head', this.#head);
      return position;
    }
    if (this.#beginBlock(chunk, position, length)) return position + PIECE_HEADER_BYTES;
    const end = position + PREFIX_BYTES + length;
    if (this.#stopped) return position;
    if (end > chunk.length) {
      this.#begin('frame', this.#room(PREFIX_BYTES + length));
      return position;
    }
    this.#sink.frame(chunk.subarray(position, end));
    return end;
  }

  #fill(part: Buffer, chunk: Buffer, position: number): number {
    // The end of a frame that is shorter than a block's head is not known before its length is.
    const limit = this.#stage === 'head' ? this.#headEnd() : part.length;
    const copied = chunk.copy(part, this.#filled, position, position + limit - this.#filled);
    this.#filled += copied;
    if (this.#stage === 'handshake' && !this.#isProtocol(part)) return position;
    if (this.#filled === limit) this.#complete(part);
    return position + copied;
  }

  #complete(part: Buffer): void {
    if (this.#stage === 'head') return this.#headThere(part);
    const stage = this.#stage;
    this.#part = undefined;
    if (stage === 'block') this.#sink.block(this.#index, this.#offset, part);
    else if (stage === 'frame') this.#sink.frame(part);
    else this.#sink.handshake(part);
    return undefined;
  }

  /** How much of a head has to be there to go on: its prefix, then the rest, which a short frame has not. */
  #headEnd(): number {
    if (this.#filled < PREFIX_BYTES) return PREFIX_BYTES;
    return Math.min(PIECE_HEADER_BYTES, PREFIX_BYTES + this.#head.readUInt32BE(0));
  }

  #headThere(head: Buffer): void {
    const length = head.readUInt32BE(0);
    const id = this.#filled > PREFIX_BYTES ? head[PREFIX_BYTES] : undefined;
    if (this.#refused(length, id) || this.#filled < this.#headEnd()) return;
    const filled = this.#filled;
    this.#part = undefined;
    if (filled === PREFIX_BYTES + length) this.#sink.frame(head.subarray(0, filled));
    else if (!this.#beginBlock(head, 0, length) && !this.#stopped) {
      const frame = this.#room(PREFIX_BYTES + length);
      head.copy(frame);
      this.#begin('frame', frame, filled);
    }
  }

  /** True when what begins at `position` is a block whose header is there. */
  #beginBlock(bytes: Buffer, position: number, length: number): boolean {
    if (bytes[position + PREFIX_BYTES] !== PIECE || length <= PIECE_HEADER_BYTES - PREFIX_BYTES) return false;
    this.#index = bytes.readUInt32BE(position + PREFIX_BYTES + 1);
    this.#offset = bytes.readUInt32BE(position + PREFIX_BYTES + 5);
    const room = this.#sink.room(this.#index, this.#offset, length - (PIECE_HEADER_BYTES - PREFIX_BYTES));
    if (room === undefined) return false;
    this.#begin('block', room);
    return true;
  }

  #begin(stage: 'head' | 'frame' | 'block', part: Buffer, filled = 0): void {
    this.#stage = stage;
    this.#part = part;
    this.#filled = filled;
  }

  get #stopped(): boolean {
    return this.#stage === 'stopped';
  }

  #room(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length);
    return this.#buffer.subarray(0, length);
  }

  /** @param id the number of the message, as far as it is there */
  #refused(length: number, id: number | undefined): boolean {
    const { maxFrame, maxPiece } = this;
    const most = id === undefined ? Math.max(maxFrame, maxPiece) : id === PIECE ? maxPiece : maxFrame;
    if (length <= most) return false;
    this.#fault(`a frame of ${length} bytes`);
    return true;
  }

  #isProtocol(part: Buffer): boolean {
    const known = Math.min(this.#filled, PROTOCOL.length);
    if (part.compare(PROTOCOL, 0, known, 0, known) === 0) return true;
    this.#fault(part[0] === TLS_HANDSHAKE ? 'TLS where plain connections are expected' : 'no BitTorrent handshake');
    return false;
  }

  #fault(message: string): void {
    this.stop();
    this.#sink.fault(message);
  }
}
