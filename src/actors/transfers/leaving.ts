/**
 * Which requests to a mirror are given up because another machine brings the same: it takes it from the mirror for all,
 * or has it. What a mirror sends twice costs it and those who wait for it; an answer that has come so far that little
 * is gained by ending its connection goes on.
 */
import { BEGUN_PART } from '../../core/swarm/fetching-together.ts';
import type { ByteRange } from '../../core/range-set.ts';
import { intersect } from './source-plan.ts';

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
  const rest = end === undefined ? 0 : end - start - bytes;
  if (end === undefined || rest < REST_BYTES) return false;
  const pace = Math.max(bytes, 1) / Math.max(ms, 1);
  // One that has only just been asked for has no pace yet.
  if (ms < REST_MS / 2 || rest / pace < REST_MS) return false;
  return within({ start: start + bytes, end }, available);
}

function within(range: ByteRange, list: readonly ByteRange[]): boolean {
  const [inside] = intersect([range], list);
  return inside !== undefined && inside.start === range.start && inside.end === range.end;
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
