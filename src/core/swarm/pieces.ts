/**
 * How files are cut: pieces of 1 MiB (the last one of a file may be shorter), asked for in blocks of 128 KiB or several
 * of them at once, hashed in leaves of 16 KiB (docs/PROTOCOL.md). Sizes, offsets and lengths in bytes.
 */
import type { ByteRange } from '../range-set.ts';
import { Bitmap } from './bitmap.ts';

export const PIECE_BYTES = 1024 * 1024;
export const BLOCK_BYTES = 128 * 1024;
/** The most that one request may be for. */
export const MAX_REQUEST_BYTES = 4 * BLOCK_BYTES;
export const LEAF_BYTES = 16 * 1024;
export const LEAVES_PER_PIECE = PIECE_BYTES / LEAF_BYTES;
/** Of one file. */
export const MAX_PIECES = 65_536;
export const MAX_FILE_BYTES = MAX_PIECES * PIECE_BYTES;

/** A block within a piece of a file. */
export interface PieceBlock {
  readonly piece: number;
  /** Within the piece. */
  readonly offset: number;
  readonly length: number;
}

/** True for a size that peers can share: 1 byte to 64 GiB. */
export function isShareableSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 1 && size <= MAX_FILE_BYTES;
}

/** 0 for an empty file. */
export function pieceCount(size: number): number {
  return Math.ceil(size / PIECE_BYTES);
}

/** @throws RangeError for an index that the file does not have */
export function pieceRange(size: number, index: number): ByteRange {
  if (!Number.isInteger(index) || index < 0 || index >= pieceCount(size)) {
    throw new RangeError(`a file of ${size} bytes has no piece ${index}`);
  }
  return { start: index * PIECE_BYTES, end: Math.min((index + 1) * PIECE_BYTES, size) };
}

/** @throws RangeError as pieceRange */
export function pieceLength(size: number, index: number): number {
  const { start, end } = pieceRange(size, index);
  return end - start;
}

/** Index of the piece that holds the byte at `offset`. */
export function pieceAt(offset: number): number {
  return Math.floor(offset / PIECE_BYTES);
}

/** Indexes [first, end) of the pieces that have bytes in common with the range. */
export function piecesTouching(size: number, { start, end }: ByteRange): { first: number; end: number } {
  const last = Math.min(end, size);
  const from = Math.max(start, 0);
  if (from >= last) return { first: 0, end: 0 };
  return { first: pieceAt(from), end: pieceAt(last - 1) + 1 };
}

/** The blocks that have bytes in common with the range, in order: on the grid of 128 KiB, so they may reach beyond it. */
export function* blocksOf(size: number, { start, end }: ByteRange): Generator<PieceBlock> {
  const last = Math.min(end, size);
  const from = Math.max(start, 0);
  if (from >= last) return;
  for (let at = from - (from % BLOCK_BYTES); at < last; at += BLOCK_BYTES) {
    yield { piece: pieceAt(at), offset: at % PIECE_BYTES, length: Math.min(BLOCK_BYTES, size - at) };
  }
}

/** Where in the file a block is. */
export function blockRange({ piece, offset, length }: PieceBlock): ByteRange {
  const start = piece * PIECE_BYTES + offset;
  return { start, end: start + length };
}

/** The pieces that lie wholly inside one of the ranges, which are disjoint and not adjacent (as those of a RangeSet). */
export function wholePieces(size: number, ranges: Iterable<ByteRange>): Bitmap {
  const pieces = new Bitmap(pieceCount(size));
  for (const { start, end } of ranges) {
    const first = Math.ceil(Math.max(start, 0) / PIECE_BYTES);
    const beyond = end >= size ? pieceCount(size) : pieceAt(end);
    for (let index = first; index < beyond; index++) pieces.set(index);
  }
  return pieces;
}

/** The bytes of the pieces whose bit is set; ascending, disjoint, not adjacent. */
export function bytesOfPieces(size: number, pieces: Bitmap): ByteRange[] {
  return Array.from(pieces.runs(), ({ start, end }) => ({
    start: start * PIECE_BYTES,
    end: Math.min(end * PIECE_BYTES, size),
  }));
}
