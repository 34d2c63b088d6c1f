/**
 * The mirrors' part of one transfer: which of them is asked, how much at once, what follows from each outcome. Which
 * ranges are theirs to fetch, and what is done with the bytes, is for the host to say.
 */
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import { firstJobBytes, nextJobBytes } from '../../core/job-size.ts';
import type { ByteRange, RangeSet } from '../../core/range-set.ts';
import { isWhole, type FileInfo, type JobId, type RangeJob, type RangeOutcome } from '../source.ts';
import { OWN_FAULTS, type Candidates, type Fault } from './candidates.ts';
import type { Content } from './content.ts';
import { Deliverers } from './deliverers.ts';
import type { FetchingDeps, FetchingOptions } from './fetching-deps.ts';
import { Jobs, type EndedJob, type RunningMirrorJob } from './jobs.ts';
import type { MirrorHost, PumpLimits } from './mirror-host.ts';
import { MirrorPace } from './mirror-pace.ts';
import { rangeJob, strongValidator } from './range-job.ts';
import { nextRanges } from './range-plan.ts';
import { Silences } from './silences.ts';

/** New bytes after which earlier failures of a mirror do not count any more. */
const PROGRESS_BYTES = 256 * 1024;
type Failed = Extract<RangeOutcome, { kind: 'failed' }>;

export class MirrorSide {
  readonly deliverers = new Deliverers();
  readonly pace: MirrorPace;
  readonly #deps: FetchingDeps;
  readonly #host: MirrorHost;
  readonly #plan: FetchPlan;
  readonly #content: Content;
  readonly #options: FetchingOptions;
  readonly #jobs: Jobs;
  readonly #candidates: Candidates;
  readonly #silences = new Silences();
  #revalidate: RangeJob['revalidate'];
  #info: FileInfo | undefined;
  #jobBytes: number;
  #ahead: boolean;
  #noRanges = false;
  /** A mirror has given a part of the file alone. */
  #givesRanges = false;
  /** There, or to come from elsewhere, when it was last asked. */
  #taken: RangeSet | undefined;
  #received = 0;
  #troubled = false;
  /** Most bytes that were there when progress was last counted: the same bytes again are no progress. */
  #counted = 0;
  #retry: { clear(): void } | undefined;

  constructor(deps: FetchingDeps, options: FetchingOptions, host: MirrorHost) {
    this.#deps = deps;
    this.#host = host;
    this.#plan = options.plan;
    this.#content = options.content;
    this.#options = options;
    this.#ahead = options.plan.ahead === true;
    this.#revalidate = options.revalidate;
    this.#candidates = options.candidates;
    this.#jobs = new Jobs(deps, (ended, outcome) => this.#jobEnded(ended, outcome));
    this.pace = new MirrorPace(deps, options.candidates, this.#jobs);
    this.#jobBytes = firstJobBytes(this.pace.rate, deps.connections);
  }

  /** What mirrors said of the file. */
  get info(): FileInfo | undefined {
    return this.#info;
  }

  /** The last that was heard of a mirror was a failure. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /** Who sent what is there, for people to read. */
  get sender(): string {
    return this.#content.resumed ? 'an earlier transfer' : String(this.deliverers);
  }

  /** Bytes that came from mirrors. */
  get received(): number {
    return this.#received;
  }

  /** Those under way. When all are cancelled, a failure's delay before the next try stays. */
  get jobs(): Pick<Jobs, 'count' | 'has' | 'wroteAll' | 'ranges' | 'cancel' | 'cancelAll' | 'drained'> {
    return this.#jobs;
  }

  /** No mirror is left to ask. */
  get exhausted(): boolean {
    return this.#candidates.current() === undefined;
  }

  /** What the client is told when none is left. */
  verdict(): Fault {
    return this.#candidates.verdict(this.#plan.url);
  }

  /** Notes that the whole, to which all of these led, is wrong; false when no other is left. */
  blame(urls: readonly MirrorUrl[], fault: Fault): boolean {
    for (const url of urls) this.#candidates.failed(url, fault);
    return !this.exhausted;
  }

  /** Mirrors give the file only from its beginning. */
  get wholeOnly(): boolean {
    return this.#noRanges;
  }

  /** Asks for a range besides all others; undefined when no mirror can be asked for one now. */
  fetch({ start, end }: ByteRange): JobId | undefined {
    const url = this.#candidates.current();
    if (url === undefined || this.#retry !== undefined || this.#noRanges) return undefined;
    return this.#startJob(url, start, end);
  }

  /** Requests for ranges that were not given up; undefined when no further ones can be made now. */
  get ranged(): readonly RunningMirrorJob[] | undefined {
    const asks = this.#givesRanges && this.#retry === undefined && !this.#noRanges && !this.exhausted;
    return asks ? this.#jobs.states() : undefined;
  }

  /** The byte was there, or to come from elsewhere, when something was asked for last. */
  takes(position: number): boolean {
    return this.#taken?.covers(position, position + 1) === true;
  }

  /**
   * Asks for as much as makes sense now of what is not in `taken`, in ranges that end at multiples of `align` bytes
   * and are not longer than `most` where that is given, over the `share` of the connections.
   */
  pump(taken: RangeSet, { align, most, share = 1 }: PumpLimits = {}): void {
    if (this.#retry !== undefined) return;
    const url = this.#candidates.current();
    if (url === undefined) return;
    const { size } = this.#content;
    if (size === undefined || this.#plan.sha256 === undefined || this.#noRanges) {
      if (this.#jobs.count === 0) this.#pumpInOrder(url);
      return;
    }
    const inFlight = this.#jobs.ranges(size);
    const connections = Math.ceil(this.#deps.connections * share);
    const limits = { jobBytes: this.#jobBytes, connections, align, most };
    const readers = this.#options.readers();
    const foci = readers.length > 0 ? readers : [this.#options.focus];
    this.#taken = taken;
    const ranges = nextRanges({ size, have: taken, inFlight, foci, ...limits });
    for (const { start, end } of ranges) this.#startJob(url, start, end);
  }

  /** Cancels the jobs for which that is true: others bring the same. */
  leave(others: (job: RunningMirrorJob) => boolean): void {
    for (const job of this.#jobs.states()) if (others(job)) this.#jobs.cancel(job.id);
  }

  /** Somebody waits for what was fetched ahead. */
  wanted(): void {
    if (this.#ahead) this.#jobs.wanted();
    this.#ahead = false;
  }

  /** Nothing is asked for any more. */
  stop(): void {
    this.#retry?.clear();
    this.#jobs.cancelAll();
  }

  /** The bytes that are there are thrown away. */
  forget(): void {
    this.#info = undefined;
    this.deliverers.forget();
  }

  /** A mirror has sent an answer's headers. */
  jobStarted(id: JobId, info: FileInfo, sender: MirrorUrl): void {
    const job = this.#jobs.get(id);
    if (job === undefined || !this.#jobs.started(id, sender) || !this.#host.active) return;
    this.#givesRanges ||= !isWhole(job);
    this.#info = { ...this.#info, ...info };
    this.#content.size ??= info.size;
    this.#revalidate = undefined;
    this.#troubled = false;
    this.#host.started();
  }

  /** Bytes of a mirror are in the partial file. */
  jobWrote(id: JobId, start: number, end: number): void {
    const { job, sender } = this.#jobs.wrote(id, end - start) ?? {};
    if (job === undefined || sender === undefined) return;
    this.#received += end - start;
    if (!this.#host.active) return;
    this.deliverers.add(sender, job.url);
    this.#content.wrote(start, end);
    const { bytes } = this.#content.have;
    if (bytes >= this.#counted + PROGRESS_BYTES) {
      this.#counted = bytes;
      this.#troubled = false;
      this.#candidates.progressed(job.url);
    }
    this.#host.wrote(job, start, end);
  }

  /** One request for all that is missing at the end, or in the first gap. */
  #pumpInOrder(url: MirrorUrl): void {
    const { have } = this.#content;
    const from = this.#noRanges ? 0 : have.contiguousEnd(0);
    // Without a hash, bytes of two answers belong together only if the mirror vouches for it.
    const begun = this.#plan.sha256 === undefined && this.#info !== undefined;
    if (begun && (from === 0 || strongValidator(this.#info) === undefined)) this.#host.restart();
    else if (this.#noRanges && have.bytes > 0) this.#host.overwrite();
    // Nor may it be written over what an earlier transfer left behind a gap.
    else this.#startJob(url, from, have.ranges.find(({ start }) => start > from)?.start);
  }

  #startJob(url: MirrorUrl, start: number, end: number | undefined): JobId {
    const job = rangeJob({
      url,
      reload: this.#plan.reload,
      ahead: this.#ahead,
      again: this.#silences.follows(start, end),
      others: this.#candidates.several,
      start,
      end,
      size: this.#content.size,
      maxSize: this.#deps.maxSize,
      ifRange: this.#plan.sha256 === undefined && start > 0 ? strongValidator(this.#info) : undefined,
      revalidate: this.#revalidate,
    });
    return this.#jobs.start(job, () => this.#host.path());
  }

  #jobEnded({ job, bytes, tookMs, together, cancelled }: EndedJob, outcome: RangeOutcome): void {
    if (!this.#host.active) return;
    if (cancelled && outcome.kind === 'failed') {
      this.#host.ready();
      return;
    }
    if (outcome.kind !== 'failed') this.#deps.mirrorFailed(job.url, false);
    switch (outcome.kind) {
      case 'done':
        this.#jobBytes = nextJobBytes(this.#jobBytes, bytes, tookMs);
        // By itself each says as little of the mirror as one of its connections does.
        this.#deps.noteRate(job.url, together.bytes, together.ms, together.connections);
        this.#info = { ...this.#info, ...outcome.info };
        this.#content.size ??= outcome.info.size ?? outcome.end;
        this.#content.have.add(job.start, outcome.end);
        if (job.start === 0 && outcome.end === this.#content.size) this.#content.wholeSha256 = outcome.sha256;
        break;
      case 'not-modified':
        this.#host.notModified(outcome.info);
        return;
      case 'no-ranges':
        this.#noRanges = true;
        break;
      case 'changed':
        this.#changed(job);
        return;
      case 'failed':
        this.#silences.failed(job, bytes, outcome);
        this.#jobFailed(job.url, outcome);
        return;
    }
    this.#host.ready();
  }

  #changed({ url }: RangeJob): void {
    const message = `${url} changed while it was fetched`;
    // What an earlier transfer left may be longer than the file: only then the mirror is not to blame.
    if (this.#plan.sha256 === undefined || this.#content.resumed) {
      this.#host.anew({ code: 'HASH_MISMATCH', message, transient: true });
    } else {
      this.#jobFailed(url, { kind: 'failed', code: 'HASH_MISMATCH', message, transient: false });
    }
  }

  #jobFailed(url: MirrorUrl, { code, message, transient, retryAfterMs }: Failed): void {
    if (OWN_FAULTS.has(code)) {
      this.#host.end({ code, message, transient });
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
      this.#host.ready();
      return;
    }
    this.#retry ??= this.#deps.clock.setTimeout(() => {
      this.#retry = undefined;
      this.#host.ready();
    }, delay);
  }
}
