/**
 * Which requests to a mirror are given up because another machine brings the same: it takes it from the mirror for all,
 * or has it. What a mirror sends twice costs it and those who wait for it; an answer that has come so far that little
 * is gained by ending its connection goes on.
 */
import { BEGUN_PART } from '../../core/swarm/fetching-together.ts';
import type { ByteRange, RangeSet } from '../../core/range-set.ts';
import { PIECE_BYTES } from '../../core/swarm/pieces.ts';
import { leastPace } from './peer-pace.ts';

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

/** Who has what is left, and is no slower than the mirror as far as that is known. */
export interface Holders {
  readonly available: readonly ByteRange[];
  /** Nobody else wants the file: the mirror's bytes are worth as much as theirs. */
  readonly alone: boolean;
  /** Bytes a millisecond that they bring. */
  readonly pace: number | undefined;
}

/** The same for one transfer: what was left once to those who have it, and did not come, the mirror brings after all. */
export class Leaving {
  readonly #left = new Set<number>();
  readonly #tryOut: () => boolean;

  /** @param tryOut whether a range may be left to peers whose pace nobody knows; it is found out with one at a time */
  constructor(tryOut: () => boolean) {
    this.#tryOut = tryOut;
  }

  leaves(job: MirrorJobState, elsewhere: readonly ByteRange[], holders: Holders): boolean {
    if (leftToTakers(job, elsewhere)) return true;
    if (this.#left.has(job.start) || !leftToHolders(job, holders.available)) return false;
    // What an answer that is given up has sent already, the mirror sends twice if they are slower than it after all.
    if (holders.alone && !this.#asQuick(job, holders.pace)) return false;
    this.#left.add(job.start);
    return true;
  }

  #asQuick({ bytes, ms }: MirrorJobState, pace: number | undefined): boolean {
    return pace === undefined ? this.#tryOut() : pace >= leastPace(bytes / ms, 0);
  }
}
