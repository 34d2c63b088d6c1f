/**
 * Which requests to a mirror are given up because another machine brings the same: it takes it from the mirror for all,
 * or has it. What a mirror sends twice costs it and those who wait for it; an answer that has come so far that little
 * is gained by ending its connection goes on.
 */
import { BEGUN_PART } from '../../core/swarm/fetching-together.ts';
import type { ByteRange, RangeSet } from '../../core/range-set.ts';
import { PIECE_BYTES } from '../../core/swarm/pieces.ts';

export interface MirrorJobState {
  readonly start: number;
  /** Undefined: to the end of the file, whatever that is. */
  readonly end: number | undefined;
  /** Bytes that came. */
  readonly bytes: number;
  /** Milliseconds since it was asked for. */
  readonly ms: number;
}

/** A rest that would come from the mirror within this time is not asked for elsewhere, in milliseconds, */
export const REST_MS = 500;
/** nor one of fewer bytes. */
export const REST_BYTES = 128 * 1024;

/** Others are taking its range, and not a quarter of it has come. */
export function leftToTakers({ start, end, bytes }: MirrorJobState, elsewhere: readonly ByteRange[]): boolean {
  if (end === undefined || bytes * BEGUN_PART >= end - start) return false;
  return within({ start, end }, elsewhere);
}

/** Others have what is left of it, and the mirror would take long for that. */
export function leftToHolders({ start, end, bytes, ms }: MirrorJobState, available: readonly ByteRange[]): boolean {
  // One that has only just been asked for has no pace yet.
  if (end === undefined || ms < REST_MS / 2) return false;
  const rest = end - start - bytes;
  if (rest < REST_BYTES || rest * ms < REST_MS * bytes) return false;
  return within({ start: start + bytes, end }, available);
}

/** @param list disjoint, and not adjacent: what is covered at all is covered by one of them */
function within({ start, end }: ByteRange, list: readonly ByteRange[]): boolean {
  return list.some((each) => each.start <= start && end <= each.end);
}

/** Takes all that is left but one piece: the first from `focus` on, or that neither where there is no focus. */
export function leaveRest(taken: RangeSet, size: number, focus: number | undefined): void {
  const [first] = focus === undefined ? [] : taken.missing(focus, size);
  if (first === undefined) {
    taken.add(0, size);
  } else {
    taken.add(0, first.start);
    taken.add(Math.min(first.start + PIECE_BYTES, size), size);
  }
}

/** The same for one transfer: what was left once to those who have it, and did not come, the mirror brings after all. */
export class Leaving {
  readonly #left = new Set<number>();

  leaves(job: MirrorJobState, elsewhere: readonly ByteRange[], available: readonly ByteRange[]): boolean {
    if (leftToTakers(job, elsewhere)) return true;
    if (this.#left.has(job.start) || !leftToHolders(job, available)) return false;
    this.#left.add(job.start);
    return true;
  }
}
