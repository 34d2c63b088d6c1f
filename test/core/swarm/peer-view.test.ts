import fc from 'fast-check';
import t from 'tap';

import { Bitmap } from '../../../src/core/swarm/bitmap.ts';
import { rangesOf, sameRanges, union } from '../../../src/core/swarm/peer-view.ts';
import { PIECE_BYTES } from '../../../src/core/swarm/pieces.ts';

const PIECES = 12;
const SIZE = PIECES * PIECE_BYTES - 100;

t.test('a piece is in the view exactly when one peer has it', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.nat(PIECES - 1)), { maxLength: 5 }), (peers) => {
      const bitmaps = peers.map((pieces) => {
        const bitmap = new Bitmap(PIECES);
        for (const piece of pieces) bitmap.set(piece);
        return bitmap;
      });
      const all = union(PIECES, bitmaps);
      const ranges = rangesOf(SIZE, all);
      return Array.from({ length: PIECES }, (_, piece) => piece).every((piece) => {
        const had = peers.some((pieces) => pieces.includes(piece));
        const start = piece * PIECE_BYTES;
        const shown = ranges.some(([from, to]) => from <= start && Math.min(start + PIECE_BYTES, SIZE) <= to);
        return all.has(piece) === had && shown === had;
      });
    }),
  );
  t.end();
});

t.test('views are the same when their ranges are', (t) => {
  t.ok(sameRanges([[0, 1]], [[0, 1]]));
  t.notOk(sameRanges([[0, 1]], [[0, 2]]));
  t.notOk(
    sameRanges(
      [[0, 1]],
      [
        [0, 1],
        [2, 3],
      ],
    ),
  );
  t.end();
});
