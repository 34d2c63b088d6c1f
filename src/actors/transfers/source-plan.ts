/** Divides what is missing of a file between peers and mirrors. Pure. */
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import type { Ranges } from '../swarm/protocol.ts';

const MIB = 1024 * 1024;
/** Pieces of files, as peers offer them (docs/PROTOCOL.md), in bytes. */
export const PIECE_BYTES = MIB;
/** Largest range that peers are asked for at once, in bytes. */
export const PEER_JOB_BYTES = 4 * MIB;

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
  const { size, have, atMirrors, atPeers, available, elsewhere, slots, mirrorHelps } = input;
  const focus = Math.min(input.focus, size);
  const peers: ByteRange[] = [];
  if (slots > 0 && available.length > 0) {
    const busy = union(have.ranges, atMirrors, atPeers);
    const gaps = [...busy.missing(focus, size), ...busy.missing(0, focus)];
    for (const gap of gaps) {
      for (const range of intersect([gap], available)) {
        for (let { start } = range; start < range.end && peers.length < slots;) {
          const end = jobEnd(start, range.end);
          peers.push({ start, end });
          start = end;
        }
      }
      if (peers.length >= slots) break;
    }
  }
  return { peers, taken: union(have.ranges, atPeers, peers, elsewhere, mirrorHelps ? [] : available) };
}

/** Ends at a piece, so that no piece is asked for in two jobs. */
function jobEnd(start: number, end: number): number {
  const cut = start + PEER_JOB_BYTES;
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
