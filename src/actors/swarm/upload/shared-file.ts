/** A file that this machine has for others: whole and verified, or the pieces of a partial one that may be offered. */
import type { Sha256 } from '../../../core/ids.ts';
import type { Bitmap } from '../../../core/swarm/bitmap.ts';
import { pieceCount } from '../../../core/swarm/pieces.ts';

/**
 * For so long after the hash has held the file may still have the name of the partial file. Later that name may be
 * another, unfinished copy's: the store keeps a file that was just used for at least twice as long.
 */
export const MOVING_MS = 30_000;

export class SharedFile {
  readonly sha256: Sha256;
  /** Bytes; at least 1. */
  readonly size: number;
  readonly pieces: number;
  /** Pieces that may be offered; undefined when the whole file is verified. */
  offerable: Bitmap | undefined;
  /** It could not be read, and is not offered any more. */
  isLost = false;
  #path: string;
  #finalPath: string | undefined;
  #verifiedAt = 0;

  private constructor(sha256: Sha256, size: number, path: string) {
    this.sha256 = sha256;
    this.size = size;
    this.pieces = pieceCount(size);
    this.#path = path;
  }

  static partial(sha256: Sha256, size: number, path: string, offerable: Bitmap): SharedFile {
    const file = new SharedFile(sha256, size, path);
    file.offerable = offerable;
    return file;
  }

  static whole(sha256: Sha256, size: number, path: string, finalPath: string, now: number): SharedFile {
    const file = new SharedFile(sha256, size, path);
    file.complete(path, finalPath, now);
    return file;
  }

  get isWhole(): boolean {
    return this.offerable === undefined;
  }

  /** None of its pieces may be offered yet. */
  get isEmpty(): boolean {
    return this.offerable?.isEmpty === true;
  }

  has(piece: number): boolean {
    return this.offerable === undefined ? piece < this.pieces : this.offerable.has(piece);
  }

  /** The file's hash has held: it is at `path`, and will be at `finalPath`. */
  complete(path: string, finalPath: string, now: number): void {
    this.offerable = undefined;
    this.#path = path;
    this.#finalPath = finalPath;
    this.#verifiedAt = now;
  }

  /** Where it may be now, the surest first. A `lasting` name is never another file's, and what has it does not change. */
  locations(now: number): { readonly path: string; readonly lasting: boolean }[] {
    if (this.#finalPath === undefined) return [{ path: this.#path, lasting: false }];
    const lasting = { path: this.#finalPath, lasting: true };
    const isMoving = this.#path !== this.#finalPath && now - this.#verifiedAt < MOVING_MS;
    return isMoving ? [lasting, { path: this.#path, lasting: false }] : [lasting];
  }
}
