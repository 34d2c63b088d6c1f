/** The ranges of one transfer that peers are asked for now. */
import type { Clock } from '../../core/clock.ts';
import { asDebtorrentError } from '../../core/errors.ts';
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import type { JobId } from '../source.ts';
import type { PeerJob, PeerOutcome, WantId } from '../swarm/protocol.ts';
import { JOB_DEADLINE_MS } from './jobs.ts';
import type { PeerDirectory } from './peer-directory.ts';

export interface PeerJobsDeps {
  readonly directory: Pick<PeerDirectory, 'ref' | 'firstBytes' | 'delivered'>;
  readonly clock: Clock;
  nextJobId(): JobId;
  /** Routes what is said about a job to the transfer. */
  register(id: JobId): void;
  unregister(id: JobId): void;
}

export interface RunningPeerJob {
  readonly job: PeerJob;
  readonly startedAt: number;
  /** How often it was looked at since it began. */
  looks: number;
  /** The same since its last bytes came. */
  idleLooks: number;
  /** What came, as far as that was told. */
  readonly own: RangeSet;
  cancelled: boolean;
  overdue: { clear(): void } | undefined;
}

export type PeerJobEnd =
  | PeerOutcome
  | { readonly kind: 'cancelled' }
  /** It was cancelled and did not end in time: it may still write. */
  | { readonly kind: 'lost' };

/**
 * A cancelled job ends within this time, in milliseconds. On a machine that is very busy the swarm's thread is seconds
 * late, and to give it up for lost costs all that has come of the file.
 */
const CANCEL_MS = 8_000;

export class PeerJobs {
  readonly #deps: PeerJobsDeps;
  readonly #onEnd: (ended: RunningPeerJob, end: PeerJobEnd) => void;
  readonly #running = new Map<JobId, RunningPeerJob>();
  #drained: (() => void)[] = [];

  constructor(deps: PeerJobsDeps, onEnd: (ended: RunningPeerJob, end: PeerJobEnd) => void) {
    this.#deps = deps;
    this.#onEnd = onEnd;
  }

  get count(): number {
    return this.#running.size;
  }

  get ranges(): ByteRange[] {
    return this.all().map(({ job }) => job);
  }

  all(): RunningPeerJob[] {
    return [...this.#running.values()];
  }

  get(id: JobId): RunningPeerJob | undefined {
    return this.#running.get(id);
  }

  start(want: WantId, { start, end }: ByteRange): void {
    const { directory, clock, nextJobId, register } = this.#deps;
    const job: PeerJob = { id: nextJobId(), want, start, end };
    this.#running.set(job.id, {
      job,
      startedAt: clock.now(),
      looks: 0,
      idleLooks: 0,
      own: new RangeSet(),
      cancelled: false,
      overdue: undefined,
    });
    register(job.id);
    directory.ref
      .within(JOB_DEADLINE_MS)
      .ask('fetch', job)
      .then(
        (outcome) => this.#ended(job.id, outcome),
        (error: unknown) => {
          const { code, message } = asDebtorrentError(error);
          this.#ended(job.id, { kind: 'failed', code, message });
        },
      );
  }

  /** Notes bytes that came; how many of them are new, or undefined when the job has ended or they are not its own. */
  wrote(id: JobId, start: number, end: number): number | undefined {
    const running = this.#running.get(id);
    if (running === undefined || start < running.job.start || end > running.job.end || end <= start) return undefined;
    running.idleLooks = 0;
    const before = running.own.bytes;
    this.#begun(running);
    running.own.add(start, end);
    return running.own.bytes - before;
  }

  cancel(id: JobId): void {
    const running = this.#running.get(id);
    if (running === undefined || running.cancelled) return;
    running.cancelled = true;
    running.overdue = this.#deps.clock.setTimeout(() => this.#ended(id, { kind: 'lost' }), CANCEL_MS);
    this.#deps.directory.ref.tell('cancel', id);
  }

  cancelAll(): void {
    for (const id of this.#running.keys()) this.cancel(id);
  }

  /** Resolves when no job runs any more. */
  async drained(): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Bytes of it have come: notes how long the first of them took. */
  #begun(running: RunningPeerJob): void {
    if (running.own.bytes === 0) this.#deps.directory.firstBytes(this.#deps.clock.now() - running.startedAt);
  }

  #ended(id: JobId, end: PeerJobEnd): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    if (end.kind === 'done') {
      this.#begun(running);
      this.#deps.directory.delivered();
    }
    running.overdue?.clear();
    this.#running.delete(id);
    this.#deps.unregister(id);
    this.#onEnd(running, end.kind === 'failed' && running.cancelled ? { kind: 'cancelled' } : end);
    if (this.#running.size > 0) return;
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}
