/** Which ranges of a file to ask for next, given what is there and what is under way. Pure. */
import { jobBytesFor, WHOLE_FILE_BYTES } from '../../core/job-size.ts';
import type { ByteRange, RangeSet } from '../../core/range-set.ts';

export interface RangePlanInput {
  readonly size: number;
  readonly have: RangeSet;
  readonly inFlight: readonly ByteRange[];
  /** First bytes that readers wait for, in turn; one at least. */
  readonly foci: readonly number[];
  readonly jobBytes: number;
  /** Ranges under way at most. */
  readonly connections: number;
  /** Ranges end at multiples of this, in bytes, or where a gap ends: whole pieces can be offered to others. */
  readonly align?: number | undefined;
  /** Most bytes of one range. */
  readonly most?: number | undefined;
}

/**
 * The ranges to start now, soonest needed first: from a reader's place to the end, then what is before it. Readers take
 * turns, first those whose next byte is not under way.
 */
export function nextRanges(input: RangePlanInput): ByteRange[] {
  const { size, have, inFlight, connections, align = 1, most = Infinity } = input;
  const jobBytes = Math.min(input.jobBytes, most);
  if (size <= Math.min(WHOLE_FILE_BYTES, most) && have.bytes === 0 && inFlight.length === 0)
    return [{ start: 0, end: size }];
  const taken = have.clone();
  for (const { start, end } of inFlight) taken.add(start, end);
  const remaining = taken.missing(0, size).reduce((sum, { start, end }) => sum + end - start, 0);
  const bytes = jobBytesFor(remaining, jobBytes, connections);
  const foci = input.foci.map((focus) => Math.min(focus, size));
  const [late, early] = [foci.filter((at) => !taken.covers(at, at + 1)), foci.filter((at) => taken.covers(at, at + 1))];
  const ranges: ByteRange[] = [];
  while (inFlight.length + ranges.length < connections) {
    const focus = [...late, ...early][ranges.length % foci.length] as number;
    const gap = taken.missing(focus, size)[0] ?? taken.missing(0, focus)[0];
    if (gap === undefined) break;
    const cut = Math.ceil((gap.start + bytes) / align) * align;
    // A rest too small to be worth a request of its own goes with the range before it.
    const range = { start: gap.start, end: gap.end - cut < bytes / 4 ? gap.end : cut };
    ranges.push(range);
    taken.add(range.start, range.end);
  }
  return ranges;
}
