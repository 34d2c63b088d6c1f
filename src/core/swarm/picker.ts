/**
 * Which block of a file to ask a link for next. A link stays with the piece that it has begun, so that most pieces have
 * one sender (blame is exact, writes are long); then it takes the first piece that nobody has begun, then any. Pure.
 */
import { BLOCK_BYTES, PIECE_BYTES } from './pieces.ts';

export const BLOCKS_PER_PIECE = PIECE_BYTES / BLOCK_BYTES;

/** Blocks of a file that have to be asked for: one bit for each of a piece's eight blocks, bit 0 for the first. */
export class Todo {
  readonly #masks: Uint8Array;
  /** The blocks that were added to each piece, whatever became of them. */
  readonly #whole: Uint8Array;
  #count = 0;

  constructor(pieces: number) {
    this.#masks = new Uint8Array(pieces);
    this.#whole = new Uint8Array(pieces);
  }

  get count(): number {
    return this.#count;
  }

  /** Blocks are numbered through the file: 8 to a piece. False when it was there already. */
  add(block: number): boolean {
    const piece = Math.floor(block / BLOCKS_PER_PIECE);
    const bit = 1 << (block % BLOCKS_PER_PIECE);
    const mask = this.#masks[piece];
    if (mask === undefined || (mask & bit) !== 0) return false;
    this.#masks[piece] = mask | bit;
    this.#whole[piece] = (this.#whole[piece] ?? 0) | bit;
    this.#count += 1;
    return true;
  }

  /** False when it was not there. */
  delete(block: number): boolean {
    const piece = Math.floor(block / BLOCKS_PER_PIECE);
    const bit = 1 << (block % BLOCKS_PER_PIECE);
    const mask = this.#masks[piece];
    if (mask === undefined || (mask & bit) === 0) return false;
    this.#masks[piece] = mask & ~bit;
    this.#count -= 1;
    return true;
  }

  has(block: number): boolean {
    const mask = this.#masks[Math.floor(block / BLOCKS_PER_PIECE)] ?? 0;
    return (mask & (1 << (block % BLOCKS_PER_PIECE))) !== 0;
  }

  /** The first block of a piece that is to be asked for. */
  firstOf(piece: number): number | undefined {
    const mask = this.#masks[piece] ?? 0;
    return mask === 0 ? undefined : piece * BLOCKS_PER_PIECE + (31 - Math.clz32(mask & -mask));
  }

  untouched(piece: number): boolean {
    const mask = this.#masks[piece] ?? 0;
    return mask !== 0 && mask === this.#whole[piece];
  }

  /** A piece is done with: when blocks of it are added again, that counts as untouched. */
  forget(piece: number): void {
    if (piece < this.#whole.length) this.#whole[piece] = this.#masks[piece] ?? 0;
  }
}

export interface PickInput {
  readonly todo: Todo;
  /** Pieces [from, to) are looked at, in order. */
  readonly from: number;
  readonly to: number;
  /** The piece that the link has begun. */
  readonly current: number | undefined;
  has(piece: number): boolean;
}

/** The block to ask for, numbered through the file; undefined when the link has none of them. */
export function pickBlock({ todo, from, to, current, has }: PickInput): number | undefined {
  if (todo.count === 0) return undefined;
  if (current !== undefined && current >= from && current < to && has(current)) {
    const block = todo.firstOf(current);
    if (block !== undefined) return block;
  }
  let begun: number | undefined;
  for (let piece = from; piece < to; piece++) {
    const block = todo.firstOf(piece);
    if (block === undefined || !has(piece)) continue;
    if (todo.untouched(piece)) return block;
    begun ??= block;
  }
  return begun;
}
