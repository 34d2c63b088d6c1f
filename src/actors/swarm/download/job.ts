/** One range that the transfers asked for: what of it is still missing, what is there and not told yet. */
import { RangeSet } from '../../../core/range-set.ts';
import type { PeerJob, PeerOutcome } from '../protocol.ts';

export class Job {
  readonly job: PeerJob;
  /** Neither there nor given up: who brings some of it may write it. */
  left = new RangeSet();
  /** Came, and was not told: it is being written or checked. */
  readonly held = new RangeSet();
  /** Nothing new is written for it; it waits for what is under way. */
  ending = false;
  readonly #told = new RangeSet();
  readonly ended: Promise<PeerOutcome>;
  #resolve: (outcome: PeerOutcome) => void = () => undefined;

  constructor(job: PeerJob) {
    this.job = job;
    this.left.add(job.start, job.end);
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  covers(start: number, end: number): boolean {
    return this.job.start <= start && end <= this.job.end;
  }

  /** It misses some of these bytes. */
  needs(start: number, end: number): boolean {
    return within(this.left, start, end).length > 0;
  }

  /** The first byte that is missing. */
  get first(): number | undefined {
    return this.left.ranges[0]?.start;
  }

  get complete(): boolean {
    return this.left.ranges.length === 0 && this.held.ranges.length === 0;
  }

  /** Bytes that are where they belong and were not told. */
  get untold(): number {
    return this.#told.bytes;
  }

  /** The parts of a range that it misses, which it then has. */
  take(start: number, end: number): readonly { start: number; end: number }[] {
    const parts = within(this.left, start, end);
    for (const part of parts) {
      this.left.remove(part.start, part.end);
      this.held.add(part.start, part.end);
    }
    return parts;
  }

  /** Bytes that it has are where they belong; true when that is news. */
  written(start: number, end: number): boolean {
    const parts = within(this.held, start, end);
    for (const part of parts) {
      this.held.remove(part.start, part.end);
      this.#told.add(part.start, part.end);
    }
    return parts.length > 0;
  }

  /** Bytes that it had were not right. */
  lost(start: number, end: number): void {
    for (const part of within(this.held, start, end)) {
      this.held.remove(part.start, part.end);
      if (!this.ending) this.left.add(part.start, part.end);
    }
  }

  /** Says which bytes are written since the last time. */
  flush(wrote: (id: number, start: number, end: number) => void): void {
    for (const { start, end } of [...this.#told.ranges]) {
      this.#told.remove(start, end);
      wrote(this.job.id, start, end);
    }
  }

  end(outcome: PeerOutcome): void {
    this.#resolve(outcome);
  }
}

function within(set: RangeSet, from: number, to: number): { start: number; end: number }[] {
  const parts: { start: number; end: number }[] = [];
  for (const { start, end } of set.ranges) {
    if (end <= from) continue;
    if (start >= to) break;
    parts.push({ start: Math.max(start, from), end: Math.min(end, to) });
  }
  return parts;
}
