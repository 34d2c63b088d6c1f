import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { LEAF_BYTES, PIECE_BYTES } from '../../../src/core/swarm/pieces.ts';
import { pieceRoot, RootHasher, rootAt } from '../../../src/core/swarm/tree.ts';

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

/** The tree as BEP 52 tells it, from the top: node `at` of a level, where level 0 is the leaves. */
function node(piece: Buffer, level: number, at: number): Buffer {
  if (level > 0) return sha256(node(piece, level - 1, 2 * at), node(piece, level - 1, 2 * at + 1));
  const leaf = piece.subarray(at * LEAF_BYTES, (at + 1) * LEAF_BYTES);
  return leaf.length > 0 ? sha256(leaf) : Buffer.alloc(32);
}

const slowRoots = (file: Buffer) =>
  Buffer.concat(
    Array.from({ length: Math.ceil(file.length / PIECE_BYTES) }, (_, k) =>
      node(file.subarray(k * PIECE_BYTES, (k + 1) * PIECE_BYTES), 6, 0),
    ),
  );

/** Bytes that do not repeat from leaf to leaf. */
function content(size: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(size, seed);
  for (let at = 0; at + 4 <= size; at += 1000) bytes.writeUInt32LE(at + seed, at);
  return bytes;
}

const nearLeaf = fc.tuple(fc.nat(63), fc.integer({ min: 1, max: LEAF_BYTES })).map(([n, m]) => n * LEAF_BYTES + m);

t.test('the root of a piece is that of its tree, told slowly', async (t) => {
  fc.assert(
    fc.property(nearLeaf, fc.nat(255), (size, seed) => {
      const piece = content(size, seed);
      t.same(pieceRoot(piece), node(piece, 6, 0));
    }),
    {
      numRuns: 40,
      examples: [
        [1, 0],
        [LEAF_BYTES, 0],
        [LEAF_BYTES + 1, 0],
        [PIECE_BYTES - 1, 0],
        [PIECE_BYTES, 0],
      ],
    },
  );
});

t.test('a file that arrives in chunks has the same roots, however it is cut', async (t) => {
  const size = fc.oneof(
    nearLeaf,
    nearLeaf.map((n) => n + PIECE_BYTES),
    fc.constantFrom(PIECE_BYTES, 2 * PIECE_BYTES),
  );
  const chunk = fc.oneof(fc.constantFrom(1, LEAF_BYTES, 65_536, 131_072), fc.integer({ min: 1, max: 50_000 }));
  fc.assert(
    fc.property(size, fc.array(chunk, { minLength: 1, maxLength: 9 }), (size, lengths) => {
      const file = content(size);
      const hasher = new RootHasher();
      for (let at = 0, k = 0; at < size; k++) {
        const length = lengths[k % lengths.length] ?? size;
        // A long tail of chunks of one byte shows nothing more.
        const end = k > 200 ? size : at + length;
        hasher.update(file.subarray(at, end));
        at = end;
      }
      t.same(hasher.finish(), slowRoots(file));
    }),
    { numRuns: 30 },
  );
});

t.test('a byte at a time', async (t) => {
  const file = content(LEAF_BYTES + 3);
  const hasher = new RootHasher();
  for (let at = 0; at < file.length; at++) hasher.update(file.subarray(at, at + 1));
  t.same(hasher.finish(), slowRoots(file));
});

t.test('zeros at the end are not the same as no bytes', async (t) => {
  t.notSame(pieceRoot(Buffer.alloc(LEAF_BYTES)), pieceRoot(Buffer.alloc(2 * LEAF_BYTES)));
  t.notSame(pieceRoot(Buffer.alloc(1)), pieceRoot(Buffer.alloc(2)));
});

t.test('after its end the hasher begins anew, and nothing has no roots', async (t) => {
  const hasher = new RootHasher();
  t.equal(hasher.finish().length, 0);
  const file = content(PIECE_BYTES + 5);
  for (let round = 0; round < 2; round++) {
    hasher.update(file);
    t.same(hasher.finish(), slowRoots(file));
  }
});

t.test('what is no piece has no root', async (t) => {
  t.throws(() => pieceRoot(Buffer.alloc(0)), RangeError);
  t.throws(() => pieceRoot(Buffer.alloc(PIECE_BYTES + 1)), RangeError);
});

t.test('a root is found among the roots, and none beyond', async (t) => {
  const roots = slowRoots(content(2 * PIECE_BYTES + 1));
  t.same(rootAt(roots, 2), roots.subarray(64));
  t.equal(rootAt(roots, 3), undefined);
  t.equal(rootAt(new Uint8Array(), 0), undefined);
});
