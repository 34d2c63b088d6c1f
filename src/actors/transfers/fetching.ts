/**
 * How the bytes of one transfer come: which mirror is asked for which range, when, and what follows from each outcome.
 * What the bytes are worth, and who waits for them, is the transfer's business.
 */
import { asDebtorrentError } from '../../core/errors.ts';
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import { FIRST_JOB_BYTES, nextJobBytes } from '../../core/job-size.ts';
import type { FileInfo, JobId, RangeJob, RangeOutcome } from '../source.ts';
import { Candidates, type Fault } from './candidates.ts';
import type { Content } from './content.ts';
import type { FetchingDeps, FetchingEvents, FetchingOptions } from './fetching-deps.ts';
import { Jobs, type EndedJob } from './jobs.ts';
import { rangeJob, strongValidator } from './range-job.ts';
import { nextRanges } from './range-plan.ts';

/** New bytes after which earlier failures of a mirror do not count any more. */
const PROGRESS_BYTES = 256 * 1024;
/** Times that one file may be begun anew. */
const MAX_RESTARTS = 3;
/** Faults that no other mirror can mend. */
const OWN_FAULTS = new Set<string>([
  'STORE_FULL',
  'STORE_IO',
  'CANCELLED',
  'ACTOR_STOPPED',
  'ACTOR_FAILED',
  'INTERNAL',
]);

type Failed = Extract<RangeOutcome, { kind: 'failed' }>;

export class Fetching {
  readonly #deps: FetchingDeps;
  readonly #events: FetchingEvents;
  readonly #plan: FetchPlan;
  readonly #content: Content;
  readonly #focus: number;
  readonly #jobs: Jobs;
  readonly #candidates: Candidates;
  #revalidate: RangeJob['revalidate'];
  #state: 'fetching' | 'paused' | 'stopped' = 'paused';
  #info: FileInfo | undefined;
  #restarts = 0;
  #jobBytes = FIRST_JOB_BYTES;
  #noRanges = false;
  #received = 0;
  #troubled = false;
  /** Most bytes that were there when progress was last counted: the same bytes again are no progress. */
  #counted = 0;
  #deliverers = new Set<MirrorUrl>();
  #retry: { clear(): void } | undefined;

  constructor(deps: FetchingDeps, options: FetchingOptions, events: FetchingEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#plan = options.plan;
    this.#content = options.content;
    this.#focus = options.focus;
    this.#revalidate = options.revalidate;
    this.#candidates = new Candidates([options.plan.url, ...options.plan.alternates], deps.failing);
    this.#jobs = new Jobs(deps, (ended, outcome) => this.#jobEnded(ended, outcome));
  }

  /** What mirrors said of the file. */
  get info(): FileInfo | undefined {
    return this.#info;
  }

  /** The last that was heard of a mirror was a failure. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /** Who delivered what is there now. */
  get deliverers(): readonly MirrorUrl[] {
    return [...this.#deliverers];
  }

  /** Bytes that came from mirrors. */
  get received(): number {
    return this.#received;
  }

  start(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'fetching';
    this.#pump();
  }

  /** Nothing new is asked for, what is under way is cancelled. */
  stop(): void {
    this.#state = 'stopped';
    this.#retry?.clear();
    this.#jobs.cancelAll();
  }

  /** Resolves when nobody writes to the partial file any more. */
  drained(): Promise<void> {
    return this.#jobs.drained();
  }

  /** The whole is not what it should be: begins anew, without who delivered it. */
  startOver(message: string): void {
    const [url] = this.#deliverers;
    const fault: Fault = { code: 'HASH_MISMATCH', message, transient: false };
    if (this.#content.resumed || this.#deliverers.size > 1 || url === undefined) {
      // Nobody can be blamed yet; the next try starts clean.
      this.#again(fault);
    } else if (this.#candidates.failed(url, fault) === undefined) {
      this.#restarted();
      this.#end(fault);
    } else {
      this.#restart();
    }
  }

  /** A source has an answer's headers. */
  jobStarted(id: JobId, info: FileInfo): void {
    if (!this.#jobs.has(id) || this.#state !== 'fetching') return;
    this.#info = { ...this.#info, ...info };
    this.#content.size ??= info.size;
    this.#revalidate = undefined;
    this.#troubled = false;
    this.#events.started();
  }

  /** A source has written bytes into the partial file. */
  jobWrote(id: JobId, start: number, end: number): void {
    const job = this.#jobs.wrote(id, end - start);
    if (job === undefined) return;
    this.#received += end - start;
    if (this.#state !== 'fetching') return;
    this.#deliverers.add(job.url);
    this.#content.wrote(start, end);
    const { bytes } = this.#content.have;
    if (bytes >= this.#counted + PROGRESS_BYTES) {
      this.#counted = bytes;
      this.#troubled = false;
      this.#candidates.progressed(job.url);
    }
    this.#events.progressed();
  }

  /** Starts as many jobs as make sense now, or says that all bytes are there. */
  #pump(): void {
    if (this.#state !== 'fetching' || this.#retry !== undefined) return;
    const { size, have, complete } = this.#content;
    if (complete) {
      if (this.#jobs.count > 0) return;
      this.#state = 'paused';
      this.#events.complete(size as number);
      return;
    }
    const url = this.#candidates.current();
    if (url === undefined) {
      this.#end(this.#candidates.verdict(this.#plan.url));
      return;
    }
    if (size === undefined || this.#plan.sha256 === undefined || this.#noRanges) {
      if (this.#jobs.count === 0) this.#pumpInOrder(url);
      return;
    }
    const inFlight = this.#jobs.ranges(size);
    const { connections } = this.#deps;
    const input = { size, have, inFlight, focus: this.#focus, jobBytes: this.#jobBytes, connections };
    for (const { start, end } of nextRanges(input)) this.#startJob(url, start, end);
  }

  /** One request for all that is missing at the end. */
  #pumpInOrder(url: MirrorUrl): void {
    const from = this.#noRanges ? 0 : this.#content.have.contiguousEnd(0);
    // Without a hash, bytes of two answers belong together only if the mirror vouches for it.
    const begun = this.#plan.sha256 === undefined && this.#info !== undefined;
    if (begun && (from === 0 || strongValidator(this.#info) === undefined)) this.#restart();
    else this.#startJob(url, from, undefined);
  }

  #startJob(url: MirrorUrl, start: number, end: number | undefined): void {
    const job = rangeJob({
      url,
      start,
      end,
      size: this.#content.size,
      maxSize: this.#deps.maxSize,
      ifRange: this.#plan.sha256 === undefined && start > 0 ? strongValidator(this.#info) : undefined,
      revalidate: this.#revalidate,
    });
    this.#jobs.start(job, async () => {
      if (this.#content.path === '') await this.#content.open(false);
      // Ended meanwhile: whoever ended it did not see the file.
      if (this.#state === 'stopped') this.#content.park();
      return this.#content.path;
    });
  }

  #jobEnded({ job, bytes, tookMs }: EndedJob, outcome: RangeOutcome): void {
    if (this.#state !== 'fetching') return;
    if (outcome.kind !== 'failed') this.#deps.mirrorFailed(job.url, false);
    switch (outcome.kind) {
      case 'done':
        this.#jobBytes = nextJobBytes(this.#jobBytes, bytes, tookMs);
        this.#info = { ...this.#info, ...outcome.info };
        this.#content.size ??= outcome.info.size ?? outcome.end;
        this.#content.have.add(job.start, outcome.end);
        if (job.start === 0 && outcome.end === this.#content.size) this.#content.wholeSha256 = outcome.sha256;
        break;
      case 'not-modified':
        this.#state = 'stopped';
        this.#events.notModified(outcome.info);
        return;
      case 'no-ranges':
        this.#noRanges = true;
        break;
      case 'changed':
        this.#changed(job);
        return;
      case 'failed':
        this.#jobFailed(job.url, outcome);
        return;
    }
    this.#pump();
  }

  #changed({ url }: RangeJob): void {
    const message = `${url} changed while it was fetched`;
    // What an earlier transfer left may be longer than the file: only then the mirror is not to blame.
    if (this.#plan.sha256 === undefined || this.#content.resumed) {
      this.#again({ code: 'HASH_MISMATCH', message, transient: true });
    } else {
      this.#jobFailed(url, { kind: 'failed', code: 'HASH_MISMATCH', message, transient: false });
    }
  }

  #jobFailed(url: MirrorUrl, { code, message, transient, retryAfterMs }: Failed): void {
    if (OWN_FAULTS.has(code)) {
      this.#end({ code, message, transient });
      return;
    }
    this.#troubled = true;
    this.#deps.mirrorFailed(url, transient);
    this.#deps.log.debug({ url, code, reason: message }, 'a request to a mirror failed');
    // Connections that break together are one failure.
    if (transient && this.#retry !== undefined) return;
    const patient = this.#revalidate === undefined;
    const delay = this.#candidates.failed(url, { code, message, transient }, retryAfterMs, patient);
    if (delay === undefined) {
      this.#pump();
      return;
    }
    this.#retry ??= this.#deps.clock.setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, delay);
  }

  /** Begins anew unless that has been done too often. */
  #again(fault: Fault): void {
    this.#restarts += 1;
    if (this.#restarts <= MAX_RESTARTS) {
      this.#restart();
    } else {
      this.#restarted();
      this.#end(fault);
    }
  }

  /** Throws away all bytes and fetches them again, when who still writes has ended. */
  #restart(): void {
    this.#state = 'paused';
    this.#restarted();
    this.#jobs.cancelAll();
    this.#jobs
      .drained()
      .then(() => (this.#state === 'paused' ? this.#content.open(false) : undefined))
      .then(
        () => this.start(),
        (error: unknown) => {
          const { code, message } = asDebtorrentError(error);
          this.#end({ code, message, transient: true });
        },
      );
  }

  #restarted(): void {
    this.#info = undefined;
    this.#deliverers = new Set();
    this.#content.restart();
    this.#events.restarted();
  }

  #end(fault: Fault): void {
    if (this.#state === 'stopped') return;
    this.stop();
    this.#events.exhausted(fault);
  }
}
