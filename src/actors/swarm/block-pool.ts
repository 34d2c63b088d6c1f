/**
 * Buffers for blocks, used again and again by all links and files of the thread. On virtual machines memory that is
 * touched for the first time costs ten times what a copy into warm memory does, and each buffer that V8 is told of
 * brings its next collection nearer: a GiB in fresh buffers took as long to collect and to fault in as to receive.
 */
import { BLOCK_BYTES, MAX_REQUEST_BYTES } from '../../core/swarm/pieces.ts';

/** Bytes in buffers without use that are kept, of either size. */
const MAX_SPARE_BYTES = 8 * 1024 * 1024;

export class BlockPool {
  /** By their length. */
  readonly #spare = new Map<number, Buffer[]>([BLOCK_BYTES, MAX_REQUEST_BYTES].map((length) => [length, []]));
  /** Those that are in use: the whole buffer, and whether somebody has said that it is to stay. */
  readonly #used = new WeakMap<ArrayBufferLike, { readonly whole: Buffer; kept: boolean }>();

  /** A buffer for a block of up to 512 KiB, with whatever is in it. */
  take(length: number): Buffer {
    const room = length <= BLOCK_BYTES ? BLOCK_BYTES : MAX_REQUEST_BYTES;
    const whole = this.#spare.get(room)?.pop() ?? Buffer.allocUnsafeSlow(room);
    this.#used.set(whole.buffer, { whole, kept: false });
    return whole.subarray(0, length);
  }

  /**
   * The same bytes, at most 512 KiB, to be kept until `give`: for those who were shown a block for the time of a call.
   * Copied unless they are in a buffer of this pool that nobody else keeps.
   */
  keep(data: Buffer): Buffer {
    const used = this.#used.get(data.buffer);
    if (used?.kept === false) {
      used.kept = true;
      return data;
    }
    const copy = this.keep(this.take(data.length));
    data.copy(copy);
    return copy;
  }

  /** The call is over for which a block of `take` was shown: it is free unless somebody keeps it. */
  shown(data: Buffer): void {
    if (this.#used.get(data.buffer)?.kept === false) this.give(data);
  }

  /** Nobody uses it any more. What is not of this pool, or was given before, is left alone. */
  give(data: Buffer): void {
    const used = this.#used.get(data.buffer);
    if (used === undefined) return;
    this.#used.delete(data.buffer);
    const { whole } = used;
    const spare = this.#spare.get(whole.length);
    if (spare !== undefined && (spare.length + 1) * whole.length <= MAX_SPARE_BYTES) spare.push(whole);
  }
}
