/** Which ranges of a file to ask for next, given what is there and what is under way. Pure. */
import { jobBytesFor, WHOLE_FILE_BYTES } from '../../core/job-size.ts';
import type { ByteRange, RangeSet } from '../../core/range-set.ts';

export interface RangePlanInput {
  readonly size: number;
  readonly have: RangeSet;
  readonly inFlight: readonly ByteRange[];
  /** First byte that somebody waits for. */
  readonly focus: number;
  readonly jobBytes: number;
  /** Ranges under way at most. */
  readonly connections: number;
  /** Ranges end at multiples of this, in bytes, or where a gap ends: whole pieces can be offered to others. */
  readonly align?: number | undefined;
  /** Most bytes of one range. */
  readonly most?: number | undefined;
}

/** The ranges to start now, soonest needed first: from the focus to the end, then what is before it. */
export function nextRanges(input: RangePlanInput): ByteRange[] {
  const { size, have, inFlight, focus, connections, align = 1, most = Infinity } = input;
  const jobBytes = Math.min(input.jobBytes, most);
  if (size <= Math.min(WHOLE_FILE_BYTES, most) && have.bytes === 0 && inFlight.length === 0)
    return [{ start: 0, end: size }];
  const taken = have.clone();
  for (const { start, end } of inFlight) taken.add(start, end);
  const gaps = [...taken.missing(Math.min(focus, size), size), ...taken.missing(0, Math.min(focus, size))];
  const remaining = gaps.reduce((sum, { start, end }) => sum + end - start, 0);
  const bytes = jobBytesFor(remaining, jobBytes, connections);
  const ranges: ByteRange[] = [];
  for (const gap of gaps) {
    for (let { start } = gap; start < gap.end;) {
      if (inFlight.length + ranges.length >= connections) return ranges;
      const cut = Math.ceil((start + bytes) / align) * align;
      // A rest too small to be worth a request of its own goes with the range before it.
      const end = gap.end - cut < bytes / 4 ? gap.end : cut;
      ranges.push({ start, end });
      start = end;
    }
  }
  return ranges;
}
