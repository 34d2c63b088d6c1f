import fc from 'fast-check';
import t from 'tap';
import { RangeSet } from '../../../src/core/range-set.ts';
import { Bitmap } from '../../../src/core/swarm/bitmap.ts';
import {
  BLOCK_BYTES,
  blockRange,
  blocksOf,
  bytesOfPieces,
  isShareableSize,
  MAX_FILE_BYTES,
  PIECE_BYTES,
  pieceAt,
  pieceCount,
  pieceLength,
  pieceRange,
  piecesTouching,
  wholePieces,
} from '../../../src/core/swarm/pieces.ts';

/** Sizes near the edges of pieces as well as in between. */
const size = fc
  .record({ pieces: fc.nat(6), more: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.nat(PIECE_BYTES - 1)) })
  .map(({ pieces, more }) => Math.max(1, pieces * PIECE_BYTES + more));

const sizeAndRange = size.chain((bytes) =>
  fc.tuple(fc.constant(bytes), fc.nat(bytes), fc.nat(bytes)).map(([size, a, b]) => ({
    size,
    range: { start: Math.min(a, b), end: Math.max(a, b) },
  })),
);

t.test('the pieces of a file follow one another and end with it', async (t) => {
  fc.assert(
    fc.property(size, (size) => {
      let at = 0;
      for (let index = 0; index < pieceCount(size); index++) {
        const { start, end } = pieceRange(size, index);
        t.equal(start, at);
        t.ok(end - start >= 1 && end - start <= PIECE_BYTES);
        t.equal(pieceLength(size, index), end - start);
        t.equal(pieceAt(start), index);
        t.equal(pieceAt(end - 1), index);
        at = end;
      }
      t.equal(at, size);
      t.throws(() => pieceRange(size, pieceCount(size)), RangeError);
      t.throws(() => pieceRange(size, -1), RangeError);
    }),
  );
});

t.test('blocks cover the range, each lies within its piece, and none is beside the range', async (t) => {
  fc.assert(
    fc.property(sizeAndRange, ({ size, range }) => {
      const covered = new RangeSet();
      for (const block of blocksOf(size, range)) {
        t.ok(block.length >= 1 && block.length <= BLOCK_BYTES);
        t.ok(block.offset % BLOCK_BYTES === 0 && block.offset + block.length <= pieceLength(size, block.piece));
        const { start, end } = blockRange(block);
        t.ok(start < range.end && end > range.start);
        t.equal(covered.missing(start, end).length, 1, 'no block twice');
        covered.add(start, end);
      }
      t.ok(covered.covers(range.start, range.end));
    }),
  );
});

t.test('the pieces of ranges are those that are wholly inside', async (t) => {
  fc.assert(
    fc.property(
      size,
      fc.array(fc.tuple(fc.nat(7 * PIECE_BYTES), fc.nat(3 * PIECE_BYTES)), { maxLength: 5 }),
      (size, parts) => {
        const ranges = new RangeSet();
        for (const [start, length] of parts) ranges.add(start, start + length);
        const pieces = wholePieces(size, ranges.ranges);
        for (let index = 0; index < pieceCount(size); index++) {
          const { start, end } = pieceRange(size, index);
          t.equal(pieces.has(index), ranges.covers(start, end));
        }
        const bytes = RangeSet.from(bytesOfPieces(size, pieces).map(({ start, end }) => [start, end]));
        t.same(wholePieces(size, bytes.ranges).toBytes(), pieces.toBytes());
      },
    ),
  );
});

t.test('the pieces that a range touches have bytes of it, and no others have', async (t) => {
  fc.assert(
    fc.property(sizeAndRange, ({ size, range }) => {
      const { first, end } = piecesTouching(size, range);
      for (let index = 0; index < pieceCount(size); index++) {
        const piece = pieceRange(size, index);
        const touches = Math.max(piece.start, range.start) < Math.min(piece.end, range.end);
        t.equal(index >= first && index < end, touches);
      }
    }),
  );
});

t.test('all pieces are the whole file', async (t) => {
  const size = 3 * PIECE_BYTES + 5;
  t.same(bytesOfPieces(size, Bitmap.full(pieceCount(size))), [{ start: 0, end: size }]);
  t.same(bytesOfPieces(size, new Bitmap(4)), []);
});

t.test('files of 1 byte to 64 GiB can be shared', async (t) => {
  for (const size of [1, PIECE_BYTES, MAX_FILE_BYTES]) t.ok(isShareableSize(size));
  for (const size of [0, -1, 1.5, NaN, MAX_FILE_BYTES + 1]) t.notOk(isShareableSize(size));
});
