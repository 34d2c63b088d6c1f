/** Who sent which bytes of a file, as blocks that can be compared one by one. Pure. */
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import type { Contribution, PeerKey } from '../swarm/protocol.ts';
import { intersect } from './source-plan.ts';

export interface Block extends ByteRange {
  /** Undefined when nobody, or not one alone, can be blamed. */
  readonly peer: PeerKey | undefined;
}

/**
 * Cuts all that came from peers into ascending, disjoint blocks of at most `maxBytes`, each of one peer. Of several that
 * wrote the same byte the last one sent what is there.
 * @param came what peers sent, as far as the transfer knows: also where no contribution says by whom
 * @param contested peers and a mirror wrote to these bytes: nobody is blamed
 */
export function blocksOf(
  contributions: readonly Contribution[],
  came: RangeSet,
  contested: readonly ByteRange[],
  maxBytes: number,
): Block[] {
  const blocks: Block[] = [];
  const settled = new RangeSet();
  const claim = (range: ByteRange, peer: PeerKey | undefined) => {
    for (const free of settled.missing(range.start, range.end)) {
      for (let { start } = free; start < free.end; start += maxBytes) {
        blocks.push({ start, end: Math.min(start + maxBytes, free.end), peer });
      }
    }
    settled.add(range.start, range.end);
  };
  // What nobody is blamed for is compared all the same: readers may have it.
  for (const range of contested) claim(range, undefined);
  for (const { start, end, peer } of contributions.toReversed()) {
    for (const part of intersect(came.ranges, [{ start, end }])) claim(part, peer);
  }
  for (const range of came.ranges) claim(range, undefined);
  return blocks.toSorted((a, b) => a.start - b.start);
}
