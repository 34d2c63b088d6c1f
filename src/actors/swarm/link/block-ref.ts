import type { BlockRef } from './link.ts';

/** For maps. */
export function keyOf({ index, offset, length }: BlockRef): string {
  return `${index} ${offset} ${length}`;
}

/** Of the wire's signed numbers. */
export function refOf(index: number, offset: number, length: number): BlockRef {
  return { index: index >>> 0, offset: offset >>> 0, length: length >>> 0 };
}
