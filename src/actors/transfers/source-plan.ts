/** Divides what is missing of a file between peers and mirrors. Pure. */
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import { PIECE_BYTES } from '../../core/swarm/pieces.ts';
import type { Ranges } from '../swarm/protocol.ts';

/** Largest range that peers are asked for at once, in bytes. */
export const PEER_JOB_BYTES = 4 * PIECE_BYTES;

type List = readonly ByteRange[];

export interface DivideInput {
  readonly size: number;
  readonly have: RangeSet;
  /** Under way at mirrors, and at peers. */
  readonly atMirrors: List;
  readonly atPeers: List;
  /** What peers have, ascending and disjoint. */
  readonly available: List;
  /** What others take from the mirror for all, ascending and disjoint. */
  readonly elsewhere: List;
  /** First byte that somebody waits for. */
  readonly focus: number;
  /** Jobs that peers may get now. */
  readonly slots: number;
  /**
   * When there is no slot, they may get one for what is needed soonest all the same: all others are for later, and a
   * mirror may have left it to them.
   */
  readonly soonestBesides: boolean;
  /** Bytes of each, in whole pieces; PEER_JOB_BYTES unless given. */
  readonly jobBytes?: number;
  /** Mirrors take also what peers have and were not asked for. */
  readonly mirrorHelps: boolean;
}

export interface Division {
  /** To ask peers for now, soonest needed first. */
  readonly peers: readonly ByteRange[];
  /** What mirrors leave alone: all that is there, or comes from somebody else. What is under way at them is not in it. */
  readonly taken: RangeSet;
}

export function divide(input: DivideInput): Division {
  const { have, atMirrors, atPeers, available, elsewhere, mirrorHelps } = input;
  const peers = available.length > 0 ? peerJobs(input, union(have.ranges, atMirrors, atPeers)) : [];
  return { peers, taken: union(have.ranges, atPeers, peers, elsewhere, mirrorHelps ? [] : available) };
}

function peerJobs(input: DivideInput, busy: RangeSet): ByteRange[] {
  const { size, have, available, slots, soonestBesides, jobBytes = PEER_JOB_BYTES } = input;
  const focus = Math.min(input.focus, size);
  const gapsOf = (set: RangeSet) => [...set.missing(focus, size), ...set.missing(0, focus)];
  if (slots <= 0) {
    const [soonest] = soonestBesides ? gapsOf(have) : [];
    if (soonest === undefined || busy.covers(soonest.start, soonest.start + 1)) return [];
    const [gap] = gapsOf(busy);
    const [range] = gap === undefined ? [] : intersect([gap], available);
    return range?.start === soonest.start ? [{ start: range.start, end: jobEnd(range, jobBytes) }] : [];
  }
  const jobs: ByteRange[] = [];
  for (const gap of gapsOf(busy)) {
    for (const range of intersect([gap], available)) {
      for (let { start } = range; start < range.end && jobs.length < slots;) {
        const end = jobEnd({ start, end: range.end }, jobBytes);
        jobs.push({ start, end });
        start = end;
      }
    }
    if (jobs.length >= slots) break;
  }
  return jobs;
}

/** Ends at a piece, so that no piece is asked for in two jobs. */
function jobEnd({ start, end }: ByteRange, jobBytes: number): number {
  const cut = start + jobBytes;
  return cut >= end ? end : Math.floor(cut / PIECE_BYTES) * PIECE_BYTES;
}

/** Ranges of a view that are read: enough for every second piece of a file of 2 GiB. */
const MAX_RANGES = 1024;

/** What a view says of a file of this size, as far as it lies within it. */
export function within(ranges: Ranges, size: number): ByteRange[] {
  const set = new RangeSet();
  for (const [start, end] of ranges.slice(0, MAX_RANGES)) set.add(Math.max(start, 0), Math.min(end, size));
  return [...set.ranges];
}

/** All bytes that are in one of these lists. */
export function union(...lists: readonly List[]): RangeSet {
  const set = new RangeSet();
  for (const { start, end } of lists.flat().toSorted((a, b) => a.start - b.start)) set.add(start, end);
  return set;
}

/** Bytes that are in both; each list ascending and disjoint. */
export function intersect(a: List, b: List): ByteRange[] {
  const both: ByteRange[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [left, right] = [a[i] as ByteRange, b[j] as ByteRange];
    const start = Math.max(left.start, right.start);
    const end = Math.min(left.end, right.end);
    if (start < end) both.push({ start, end });
    if (left.end < right.end) i += 1;
    else j += 1;
  }
  return both;
}

/** Bytes of `list` that are not in `set`. */
export function without(list: List, set: RangeSet): ByteRange[] {
  if (set.ranges.length === 0) return [...list];
  return list.flatMap(({ start, end }) => set.missing(start, end));
}
