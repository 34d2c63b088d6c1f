/** The range jobs of one transfer that are with a source now. */
import type { Clock } from '../../core/clock.ts';
import { asDebtorrentError } from '../../core/errors.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import type { ByteRange } from '../../core/range-set.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { JobId, RangeJob, RangeOutcome, SourceProtocol } from '../source.ts';
import type { MirrorJobState } from './leaving.ts';

export interface JobsDeps {
  readonly mirror: ActorRef<SourceProtocol>;
  nextJobId(): JobId;
  /** Routes what a source says about a job to the transfer. */
  register(id: JobId): void;
  unregister(id: JobId): void;
  readonly clock: Clock;
}

/** What all jobs have brought since there was none. */
export interface Together {
  readonly bytes: number;
  readonly ms: number;
  /** How many there were, on average. */
  readonly connections: number;
}

export interface EndedJob {
  readonly job: RangeJob;
  /** Bytes that came. */
  readonly bytes: number;
  readonly tookMs: number;
  readonly together: Together;
  /** It was not wanted any more. */
  readonly cancelled: boolean;
}

export interface RunningMirrorJob extends MirrorJobState {
  readonly id: JobId;
}

/** A source may take as long as it moves; this only keeps an ask from being endless. */
export const JOB_DEADLINE_MS = 12 * 3_600_000;
const CANCELLED: RangeOutcome = {
  kind: 'failed',
  code: 'CANCELLED',
  message: 'the job was cancelled',
  transient: false,
};

const NOTHING: Together = { bytes: 0, ms: 0, connections: 0 };

export class Jobs {
  readonly #deps: JobsDeps;
  readonly #onEnd: (ended: EndedJob, outcome: RangeOutcome) => void;
  readonly #running = new Map<
    JobId,
    { job: RangeJob; sender: MirrorUrl; startedAt: number; bytes: number; cancelled: boolean }
  >();
  #drained: (() => void)[] = [];
  /** Since when there are some, what they have brought, and the time that those took which have ended. */
  #busy = { since: 0, bytes: 0, tookMs: 0 };

  constructor(deps: JobsDeps, onEnd: (ended: EndedJob, outcome: RangeOutcome) => void) {
    this.#deps = deps;
    this.#onEnd = onEnd;
  }

  get count(): number {
    return this.#running.size;
  }

  has(id: JobId): boolean {
    return this.#running.has(id);
  }

  get(id: JobId): RangeJob | undefined {
    return this.#running.get(id)?.job;
  }

  /** Ranges under way; those without an end go to `size`. */
  ranges(size: number): ByteRange[] {
    return [...this.#running.values()].map(({ job }) => ({ start: job.start, end: job.end ?? size }));
  }

  /** Hands a job to the source; `path` gives the partial file, which may have to be made first. */
  start(job: Omit<RangeJob, 'id' | 'path'>, path: () => Promise<string>): JobId {
    const { mirror, nextJobId, register, clock } = this.#deps;
    const id = nextJobId();
    const startedAt = clock.now();
    const running = { job: { ...job, id, path: '' }, sender: job.url, startedAt, bytes: 0, cancelled: false };
    if (this.#running.size === 0) this.#busy = { since: startedAt, bytes: 0, tookMs: 0 };
    this.#running.set(id, running);
    register(id);
    const run = async () => {
      running.job = { ...running.job, path: await path() };
      // Cancelled while the file was being made: the source does not know of this job and will not hear of it.
      return running.cancelled ? CANCELLED : mirror.within(JOB_DEADLINE_MS).ask('fetch', running.job);
    };
    run().then(
      (outcome) => this.#ended(id, outcome),
      (error: unknown) => {
        const { code, message } = asDebtorrentError(error);
        this.#ended(id, { kind: 'failed', code, message, transient: code === 'MAILBOX_FULL' });
      },
    );
    return id;
  }

  /** Its bytes come from there; false when it has ended. */
  started(id: JobId, sender: MirrorUrl): boolean {
    const running = this.#running.get(id);
    if (running !== undefined) running.sender = sender;
    return running !== undefined;
  }

  /** Counts bytes that came; the job that they belong to and who sent them, or undefined when it has ended. */
  wrote(id: JobId, bytes: number): { readonly job: RangeJob; readonly sender: MirrorUrl } | undefined {
    const running = this.#running.get(id);
    if (running === undefined) return undefined;
    running.bytes += bytes;
    this.#busy.bytes += bytes;
    return running;
  }

  /** What has come since there are some under way. */
  get together(): Together {
    return this.#running.size === 0 ? NOTHING : this.#together(this.#deps.clock.now());
  }

  /** A job with a known end has nothing left to write; false when it does not run. */
  wroteAll(id: JobId): boolean {
    const running = this.#running.get(id);
    if (running === undefined) return false;
    const { start, end = Infinity } = running.job;
    return running.bytes >= end - start;
  }

  /** How far each is that was not cancelled. */
  states(): RunningMirrorJob[] {
    const now = this.#deps.clock.now();
    return [...this.#running]
      .filter(([, { cancelled }]) => !cancelled)
      .map(([id, { job, bytes, startedAt }]) => ({ id, start: job.start, end: job.end, bytes, ms: now - startedAt }));
  }

  cancel(id: JobId): void {
    const running = this.#running.get(id);
    if (running === undefined || running.cancelled) return;
    running.cancelled = true;
    this.#deps.mirror.tell('cancel', id);
  }

  /** They are not ahead of anybody any more. */
  wanted(): void {
    for (const [id, running] of this.#running) {
      running.job = { ...running.job, ahead: false };
      this.#deps.mirror.tell('wanted', id);
    }
  }

  cancelAll(): void {
    for (const id of this.#running.keys()) this.cancel(id);
  }

  /** Resolves when no job runs any more. */
  async drained(): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #ended(id: JobId, outcome: RangeOutcome): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    this.#deps.unregister(id);
    const { job, bytes, startedAt, cancelled } = running;
    const now = this.#deps.clock.now();
    const tookMs = now - startedAt;
    this.#busy.tookMs += tookMs;
    this.#onEnd({ job, bytes, tookMs, together: this.#together(now), cancelled }, outcome);
    if (this.#running.size > 0) return;
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }

  #together(now: number): Together {
    const { since, bytes, tookMs } = this.#busy;
    const running = [...this.#running.values()].reduce((sum, { startedAt }) => sum + now - startedAt, 0);
    return { bytes, ms: now - since, connections: (tookMs + running) / Math.max(now - since, 1) };
  }
}
