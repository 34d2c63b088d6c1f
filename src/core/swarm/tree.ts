/**
 * Roots of pieces (docs/PROTOCOL.md, "Piece roots"): SHA-256 trees over leaves of 16 KiB as in BEP 52. Each piece has 64
 * leaves; the hash of a leaf beyond the end of the file is 32 zero bytes, not the hash of anything.
 */
import { createHash, hash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { ROOT_BYTES } from './limits.ts';
import { LEAF_BYTES, LEAVES_PER_PIECE, PIECE_BYTES } from './pieces.ts';

/** The root of one piece that is in memory. @throws RangeError unless it has 1 byte to 1 MiB */
export function pieceRoot(piece: Uint8Array): Buffer {
  if (piece.length === 0 || piece.length > PIECE_BYTES) throw new RangeError(`no piece has ${piece.length} bytes`);
  const hasher = new RootHasher();
  hasher.update(piece);
  return hasher.finish();
}

/** The roots of the pieces of a file that arrives in order, in chunks of any size. */
export class RootHasher {
  readonly #leaves = Buffer.alloc(LEAVES_PER_PIECE * ROOT_BYTES);
  readonly #roots: Buffer[] = [];
  /** Whole leaves of the piece that is not finished. */
  #leafCount = 0;
  /** The leaf that is not finished, and how many bytes of it were hashed: none when undefined. */
  #leaf: Hash | undefined;
  #leafBytes = 0;

  update(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const end = Math.min(chunk.length, at + LEAF_BYTES - this.#leafBytes);
      const part = chunk.subarray(at, end);
      at = end;
      if (part.length === LEAF_BYTES) {
        this.#endLeaf(hash('sha256', part, 'buffer'));
        continue;
      }
      this.#leaf ??= createHash('sha256');
      this.#leaf.update(part);
      this.#leafBytes += part.length;
      if (this.#leafBytes === LEAF_BYTES) this.#endLeaf(this.#leaf.digest());
    }
  }

  /** The roots of all pieces, 32 bytes each. The hasher is fresh again. */
  finish(): Buffer {
    if (this.#leaf !== undefined) this.#endLeaf(this.#leaf.digest());
    if (this.#leafCount > 0) this.#endPiece();
    return Buffer.concat(this.#roots.splice(0));
  }

  #endLeaf(digest: Buffer): void {
    this.#leaves.set(digest, this.#leafCount * ROOT_BYTES);
    this.#leaf = undefined;
    this.#leafBytes = 0;
    if (++this.#leafCount === LEAVES_PER_PIECE) this.#endPiece();
  }

  #endPiece(): void {
    this.#roots.push(rootOf(this.#leaves));
    this.#leaves.fill(0);
    this.#leafCount = 0;
  }
}

/** The root of piece `index` among roots of 32 bytes each; undefined when there are not as many. A view. */
export function rootAt(roots: Uint8Array, index: number): Uint8Array | undefined {
  const root = roots.subarray(index * ROOT_BYTES, (index + 1) * ROOT_BYTES);
  return root.length === ROOT_BYTES ? root : undefined;
}

/** Hashes pairs level by level, each level in the place of the one below; what it is given is lost. */
function rootOf(leaves: Buffer): Buffer {
  for (let count = LEAVES_PER_PIECE; count > 1; count /= 2) {
    for (let pair = 0; pair < count / 2; pair++) {
      const children = leaves.subarray(pair * 2 * ROOT_BYTES, (pair + 1) * 2 * ROOT_BYTES);
      leaves.set(hash('sha256', children, 'buffer'), pair * ROOT_BYTES);
    }
  }
  return Buffer.from(leaves.subarray(0, ROOT_BYTES));
}
