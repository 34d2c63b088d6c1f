/**
 * What the piece roots that peers tell are worth while the file is not verified: a hint. Roots are followed when all
 * who told any told the same; who told what is kept, so that after the verdict on the file a lie has its owner. Pure.
 */
import { Bitmap } from './bitmap.ts';
import { ROOT_BYTES } from './limits.ts';

/** Different trees and tellers that are kept for one file. */
const MAX_TREES = 4;
const MAX_TELLERS = 16;
/** Senders whose pieces had the same root, another than the tree says: then it is the tree that is doubted. */
const DOUBTERS = 2;

interface Tree<P> {
  readonly roots: Uint8Array;
  readonly tellers: Set<P>;
}

export class TreeTrust<P> {
  readonly #pieces: number;
  readonly #trees: Tree<P>[] = [];
  readonly #matched: Bitmap;
  /** By piece and the root that it had: who sent it. */
  readonly #strays = new Map<string, Set<P>>();
  #doubted = false;

  constructor(pieces: number) {
    this.#pieces = pieces;
    this.#matched = new Bitmap(pieces);
  }

  /** There is a tree to go by. */
  get agreed(): boolean {
    return this.#trees.length === 1 && !this.#doubted;
  }

  /** Told more than one tree, or one that was doubted: the truth will tell who lied. */
  get disputed(): boolean {
    return this.#trees.length > 1 || this.#doubted;
  }

  get tellers(): readonly P[] {
    return this.#trees.flatMap(({ tellers }) => [...tellers]);
  }

  /** Every piece matched the tree that is followed. */
  get allMatched(): boolean {
    return this.agreed && this.#matched.isFull;
  }

  /** Roots that a peer told, not empty. False when they are not as long as the file's pieces need: a fault. */
  told(teller: P, roots: Uint8Array): boolean {
    if (roots.length !== this.#pieces * ROOT_BYTES) return false;
    const same = this.#trees.find((tree) => Buffer.compare(tree.roots, roots) === 0);
    if (same !== undefined) {
      if (same.tellers.size < MAX_TELLERS) same.tellers.add(teller);
    } else if (this.#trees.length < MAX_TREES) {
      this.#trees.push({ roots: roots.slice(), tellers: new Set([teller]) });
    }
    return true;
  }

  /** The root that a piece should have. */
  expected(piece: number): Uint8Array | undefined {
    const [tree] = this.#trees;
    return this.agreed && tree !== undefined ? rootOf(tree.roots, piece) : undefined;
  }

  toldBy(teller: P): boolean {
    return this.#trees.some(({ tellers }) => tellers.has(teller));
  }

  matched(piece: number): void {
    this.#matched.set(piece);
  }

  hasMatched(piece: number): boolean {
    return this.#matched.has(piece);
  }

  /** A piece, all of it from one sender, had another root. True when the tree is not to be followed any more. */
  strayed(piece: number, root: Uint8Array, sender: P): boolean {
    const key = `${piece} ${Buffer.from(root).toString('hex')}`;
    const senders = this.#strays.get(key) ?? new Set<P>();
    senders.add(sender);
    if (this.#strays.size < this.#pieces + MAX_TREES) this.#strays.set(key, senders);
    if (senders.size >= DOUBTERS) this.#doubted = true;
    return this.#doubted;
  }

  /** The file is right, and this is a piece's true root: who told another. */
  liars(piece: number, truth: Uint8Array): P[] {
    return this.#trees
      .filter(({ roots }) => Buffer.compare(rootOf(roots, piece), truth) !== 0)
      .flatMap(({ tellers }) => [...tellers]);
  }

  /** Pieces in which trees differ, or whose root was not what a tree says: where to look for the truth. */
  disputedPieces(): number[] {
    const pieces = new Set<number>();
    for (const key of this.#strays.keys()) pieces.add(Number.parseInt(key, 10));
    const [first, ...others] = this.#trees;
    for (const { roots } of others) {
      // One piece is enough to tell two trees apart.
      for (let piece = 0; first !== undefined && piece < this.#pieces; piece++) {
        if (Buffer.compare(rootOf(first.roots, piece), rootOf(roots, piece)) === 0) continue;
        pieces.add(piece);
        break;
      }
    }
    return [...pieces].toSorted((a, b) => a - b);
  }
}

function rootOf(roots: Uint8Array, piece: number): Uint8Array {
  return roots.subarray(piece * ROOT_BYTES, (piece + 1) * ROOT_BYTES);
}
