/** What several peers have of one file, put together: pieces as ranges of bytes. Pure. */
import type { ByteRange } from '../range-set.ts';
import { Bitmap } from './bitmap.ts';
import { bytesOfPieces } from './pieces.ts';

export type RangePairs = readonly (readonly [start: number, end: number])[];

/** Pieces that at least one has. */
export function union(pieces: number, holders: Iterable<Bitmap>): Bitmap {
  let all: Bitmap | undefined;
  for (const have of holders) {
    if (have.isFull && have.length === pieces) return have.copy();
    if (all === undefined) all = have.copy();
    else for (const piece of have) all.set(piece);
  }
  return all ?? new Bitmap(pieces);
}

export function rangesOf(size: number, pieces: Bitmap): RangePairs {
  return bytesOfPieces(size, pieces).map(({ start, end }: ByteRange) => [start, end] as const);
}

export function sameRanges(a: RangePairs, b: RangePairs): boolean {
  return a.length === b.length && a.every(([start, end], at) => start === b[at]?.[0] && end === b[at]?.[1]);
}
