/**
 * Cuts what a peer sends into the handshake and whole frames before anything else sees it. The wire behind it keeps
 * what is incomplete by concatenating again and again and takes any length; here a frame that is too long is refused
 * when its length has been read, and each byte is copied at most once, however small the chunks are.
 */
export interface FrameSink {
  /** The 68 bytes of the handshake. */
  handshake(bytes: Buffer): void;
  /** A frame with its length prefix, valid until the call returns. 4 bytes are a keep-alive. */
  frame(bytes: Buffer): void;
  fault(message: string): void;
}

export const HANDSHAKE_BYTES = 68;
export const PREFIX_BYTES = 4;
const PROTOCOL = Buffer.from('\u0013BitTorrent protocol', 'latin1');
const TLS_HANDSHAKE = 0x16;

export class FrameGuard {
  /** The longest frame that is taken now, its prefix aside. */
  maxFrame: number;
  readonly #sink: FrameSink;
  /** Bytes of an incomplete handshake, prefix or frame; its length is what is awaited. */
  #part: Buffer | undefined = Buffer.allocUnsafeSlow(HANDSHAKE_BYTES);
  #filled = 0;
  #stage: 'handshake' | 'prefix' | 'frame' | 'stopped' = 'handshake';
  /** Kept from frame to frame: frames end before the next begins. Grows to what was needed, at most to a whole frame. */
  #buffer = Buffer.alloc(0);
  readonly #prefix = Buffer.allocUnsafeSlow(PREFIX_BYTES);

  constructor(sink: FrameSink, maxFrame: number) {
    this.#sink = sink;
    this.maxFrame = maxFrame;
  }

  /** Nothing is handed on any more, also of the chunk in work. */
  stop(): void {
    this.#stage = 'stopped';
    this.#part = undefined;
    this.#buffer = Buffer.alloc(0);
  }

  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length && this.#stage !== 'stopped') {
      position = this.#part === undefined ? this.#whole(chunk, position) : this.#fill(this.#part, chunk, position);
    }
  }

  /** Takes a frame out of the chunk as it is, or begins a part. */
  #whole(chunk: Buffer, position: number): number {
    const left = chunk.length - position;
    if (left < PREFIX_BYTES) {
      this.#begin('prefix', this.#prefix);
      return position;
    }
    const length = chunk.readUInt32BE(position);
    if (this.#refused(length)) return position;
    const end = position + PREFIX_BYTES + length;
    if (end > chunk.length) {
      this.#begin('frame', this.#room(PREFIX_BYTES + length));
      return position;
    }
    this.#sink.frame(chunk.subarray(position, end));
    return end;
  }

  #fill(part: Buffer, chunk: Buffer, position: number): number {
    const copied = chunk.copy(part, this.#filled, position);
    this.#filled += copied;
    if (this.#stage === 'handshake' && !this.#isProtocol(part)) return position;
    if (this.#filled < part.length) return position + copied;
    const stage = this.#stage;
    this.#part = undefined;
    if (stage === 'prefix') {
      const length = part.readUInt32BE(0);
      if (this.#refused(length)) return position;
      if (length === 0) this.#sink.frame(part);
      else {
        const frame = this.#room(PREFIX_BYTES + length);
        part.copy(frame);
        this.#begin('frame', frame, PREFIX_BYTES);
      }
    } else if (stage === 'frame') this.#sink.frame(part);
    else this.#sink.handshake(part);
    return position + copied;
  }

  #begin(stage: 'prefix' | 'frame', part: Buffer, filled = 0): void {
    this.#stage = stage;
    this.#part = part;
    this.#filled = filled;
  }

  #room(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length);
    return this.#buffer.subarray(0, length);
  }

  #refused(length: number): boolean {
    if (length <= this.maxFrame) return false;
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
