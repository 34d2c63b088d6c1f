/** Blocks as they come: what some job still misses is written, the rest is dropped. */
import type { Clock } from '../../../core/clock.ts';
import { RangeSet } from '../../../core/range-set.ts';
import { BLOCK_BYTES } from '../../../core/swarm/pieces.ts';
import { BLOCKS_PER_PIECE } from '../../../core/swarm/picker.ts';
import type { BlockRef } from '../link/link.ts';
import type { JobRunner } from './job-runner.ts';
import type { Lane } from './lane.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PieceChecks } from './piece-checks.ts';
import type { Requester } from './requester.ts';
import type { Want } from './want.ts';

export interface ReceiverDeps {
  readonly clock: Clock;
  readonly budget: MemoryBudget;
  readonly requester: Requester;
  readonly checks: PieceChecks;
  readonly runner: JobRunner;
  /** What peers can do for the want has changed. */
  changed(want: Want): void;
}

/** @param data valid until this returns */
export function receive(deps: ReceiverDeps, lane: Lane, ref: BlockRef, data: Buffer): void {
  const { budget, requester, checks, runner } = deps;
  const request = lane.take(ref);
  if (request === undefined) return;
  const { want } = request.seller;
  const now = deps.clock.now();
  lane.window.arrived(now, data.length, request.askedAt);
  if (lane.delivered(now, data.length)) for (const seller of lane.sellers) deps.changed(seller.want);
  requester.close(request);
  const start = request.first * BLOCK_BYTES;
  const piece = Math.floor(request.first / BLOCKS_PER_PIECE);
  const taken = new RangeSet();
  for (const job of want.jobs.values()) {
    if (!job.needs(start, start + data.length)) continue;
    checks.begin(want, piece, job);
    for (const part of job.take(start, start + data.length)) taken.add(part.start, part.end);
  }
  for (const other of requester.others(request)) requester.cancelUnneeded(other);
  budget.release(ref.length - taken.bytes);
  for (const part of taken.ranges) {
    want.log.add(part.start, part.end, lane.peer);
    if (want.writer === undefined) budget.release(part.end - part.start);
    else want.writer.push(part.start, data.subarray(part.start - start, part.end - start));
  }
  requester.refill(lane);
  if (want.todo.count > 0) runner.failStuck(want);
}
