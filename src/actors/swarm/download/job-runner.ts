/**
 * Jobs from their start to their outcome. An outcome is given only when nobody writes into the job's range any more
 * and all that is there has been told.
 */
import type { ErrorCode } from '../../../core/errors.ts';
import type { DoesInPlace } from '../../../core/in-place.ts';
import { BLOCK_BYTES, pieceAt } from '../../../core/swarm/pieces.ts';
import type { JobId } from '../../source.ts';
import type { PeerJob, PeerOutcome } from '../protocol.ts';
import type { Clock } from '../../../core/clock.ts';
import type { BlockPool } from '../block-pool.ts';
import type { EachTurn } from './each-turn.ts';
import { FileWriter } from './file-writer.ts';
import { Job } from './job.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PieceChecks } from './piece-checks.ts';
import type { Requester } from './requester.ts';
import type { Want } from './want.ts';

export interface JobRunnerDeps {
  readonly clock: Clock;
  readonly turn: EachTurn;
  readonly budget: MemoryBudget;
  readonly blocks: BlockPool;
  readonly inPlace: DoesInPlace;
  readonly requester: Requester;
  readonly checks: PieceChecks;
  wrote(job: JobId, start: number, end: number): void;
}

/**
 * Of a file from this size on the transfers are told in steps of at least so many bytes, or after so many milliseconds:
 * each message is work for both threads, and who reads such a file is not ahead of it.
 */
const LARGE_FILE_BYTES = 16 * 1024 * 1024;
const STEP_BYTES = 2 * 1024 * 1024;
const STEP_MS = 4;
/** Jobs at once. */
const MAX_JOBS = 16_384;
const DONE: PeerOutcome = { kind: 'done' };

export class JobRunner {
  readonly #deps: JobRunnerDeps;
  readonly #wants = new Map<JobId, Want>();
  /** Jobs with news for the transfers. */
  #news = new Set<Job>();
  readonly #tellNews = () => this.#tell();
  #step: { clear(): void } | undefined;

  constructor(deps: JobRunnerDeps) {
    this.#deps = deps;
  }

  start(want: Want | undefined, peerJob: PeerJob): Promise<PeerOutcome> {
    const { id, start, end } = peerJob;
    if (want === undefined) return Promise.resolve(failed('CANCELLED', 'the file is not wanted any more'));
    const sane = Number.isSafeInteger(start) && start >= 0 && start < end && end <= want.file.size;
    if (!sane || this.#wants.has(id))
      return Promise.resolve(failed('INTERNAL', `no range of the file: ${start}-${end}`));
    if (this.#wants.size >= MAX_JOBS || want.log.full) {
      return Promise.resolve(failed('OVERLOADED', 'too much is being fetched from peers'));
    }
    const job = new Job(peerJob);
    this.#wants.set(id, want);
    want.addJob(job);
    want.writer ??= this.#writer(want);
    this.need(want, start, end);
    return job.ended;
  }

  cancel(id: JobId): void {
    const want = this.#wants.get(id);
    const job = want?.jobs.get(id);
    if (want !== undefined && job !== undefined) this.end(want, job, failed('CANCELLED', 'the job was cancelled'));
  }

  /** Blocks that have to be asked for, unless they have been. */
  need(want: Want, start: number, end: number): void {
    for (let block = Math.floor(start / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      if (!want.requests.has(block)) want.todo.add(block);
    }
    this.#deps.requester.hungry(want);
  }

  /** Bytes are where they belong. */
  told(want: Want, start: number, end: number): void {
    want.got.add(start, end);
    for (const job of want.jobs.values()) {
      if (!job.written(start, end)) continue;
      this.#news.add(job);
      if (job.complete && !job.ending) this.#finish(want, job, DONE);
      else if (want.file.size < LARGE_FILE_BYTES || job.untold >= STEP_BYTES) this.#deps.turn.soon(this.#tellNews);
      else this.#step ??= this.#deps.clock.setTimeout(this.#tellNews, STEP_MS);
    }
  }

  /** A piece has to be fetched again. */
  lost(want: Want, piece: number): void {
    const { start, end } = want.range(piece);
    for (const job of want.jobs.values()) job.lost(start, end);
    if (want.needs(start, end)) this.need(want, start, end);
    else want.todo.forget(piece);
  }

  /** Ends the jobs whose next bytes nobody has. */
  failStuck(want: Want): void {
    const now = this.#deps.clock.now();
    for (const job of want.jobs.values()) {
      if (job.first === undefined) continue;
      const block = Math.floor(job.first / BLOCK_BYTES);
      if (!want.todo.has(block)) continue;
      const piece = pieceAt(job.first);
      const obtainable = [...want.sellers.values()].some((seller) => seller.live(now) && seller.maySell(piece, now));
      if (!obtainable) this.end(want, job, failed('NO_PEER', 'no peer gives these bytes now'));
    }
  }

  /** Gives up what is missing of a job, and ends it when what is under way has settled. */
  end(want: Want, job: Job, outcome: PeerOutcome): void {
    if (job.ending) return;
    job.ending = true;
    const missing = [...job.left.ranges];
    job.left.remove(job.job.start, job.job.end);
    for (const { start, end } of missing) this.#unneed(want, start, end);
    // The links are free for others.
    this.#deps.requester.soon();
    void this.#settle(want, job, outcome);
  }

  endAll(want: Want, outcome: PeerOutcome): void {
    for (const job of want.jobs.values()) this.end(want, job, outcome);
  }

  /** Resolves when no job of the file runs and the file is closed. */
  async drained(want: Want): Promise<void> {
    await Promise.all([...want.jobs.values()].map(({ ended }) => ended));
    await want.closing;
  }

  stop(): void {
    this.#step?.clear();
  }

  async #settle(want: Want, job: Job, outcome: PeerOutcome): Promise<void> {
    await want.writer?.settled(job.job.start, job.job.end);
    await this.#deps.checks.settle(want, job);
    // What was not told will be written by somebody else.
    for (const { start, end } of job.held.ranges) want.log.remove(start, end);
    this.#finish(want, job, outcome);
  }

  #finish(want: Want, job: Job, outcome: PeerOutcome): void {
    if (!want.jobs.delete(job.job.id)) return;
    this.#wants.delete(job.job.id);
    this.#news.delete(job);
    // That it is done says that all of it is there.
    if (outcome.kind !== 'done') job.flush(this.#deps.wrote);
    job.end(outcome);
    if (want.jobs.size > 0) return;
    this.#deps.requester.idle(want);
    want.closing = want.writer?.close();
    want.writer = undefined;
  }

  /** Takes back what was asked or is to be asked for, as far as no other job needs it. */
  #unneed(want: Want, start: number, end: number): void {
    for (let block = Math.floor(start / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      const from = block * BLOCK_BYTES;
      if (want.needs(from, from + BLOCK_BYTES)) continue;
      want.todo.delete(block);
      for (const request of want.requests.get(block) ?? []) this.#deps.requester.cancelUnneeded(request);
    }
  }

  #writer(want: Want): FileWriter {
    const { path, size } = want.file;
    return new FileWriter({
      path,
      size,
      unflushed: want.unflushed,
      clock: this.#deps.clock,
      budget: this.#deps.budget,
      blocks: this.#deps.blocks,
      inPlace: this.#deps.inPlace,
      wrote: (start, end) => {
        for (let at = start; at < end;) {
          const piece = pieceAt(at);
          const stop = Math.min(end, want.range(piece).end);
          this.#deps.checks.written(want, piece, at, stop);
          at = stop;
        }
      },
      failed: ({ code, message }) => this.endAll(want, failed(code, message)),
    });
  }

  #tell(): void {
    this.#step?.clear();
    this.#step = undefined;
    const news = this.#news;
    this.#news = new Set();
    for (const job of news) job.flush(this.#deps.wrote);
  }
}

export function failed(code: ErrorCode, message: string): PeerOutcome {
  return { kind: 'failed', code, message };
}
