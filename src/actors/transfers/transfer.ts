/**
 * One file on its way: who is asked for which of its bytes, and whether the whole is what it should be. It lives
 * until the file is in the store or no source is left, whoever waits for it meanwhile. Its bytes can be read as they
 * come, but for the last block, which waits for the SHA-256 of the whole.
 */
import type { Clock } from '../../core/clock.ts';
import { asDebtorrentError, DebtorrentError } from '../../core/errors.ts';
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { MirrorUrl, Sha256, TransferKey } from '../../core/ids.ts';
import { FIRST_JOB_BYTES, nextJobBytes } from '../../core/job-size.ts';
import type { Logger } from '../../core/logging.ts';
import type { FileInfo, JobId, RangeOutcome } from '../source.ts';
import type { NameRecord, StoredFile } from '../store/protocol.ts';
import { Candidates, type Fault } from './candidates.ts';
import { Content, type ContentDeps } from './content.ts';
import { Jobs, type EndedJob, type JobsDeps } from './jobs.ts';
import type { ArrivingFile, FileHead, Progress, TransferId, TransferStatus, WholeFile } from './protocol.ts';
import { nextRanges } from './range-plan.ts';
import { Waiters } from './waiters.ts';
import { fromName, fromStore, nameRecord } from './whole-file.ts';

export interface TransferDeps extends ContentDeps, Omit<JobsDeps, 'register' | 'now'> {
  readonly clock: Clock;
  readonly log: Logger;
  /** Ranges of one file under way at once. */
  readonly connections: number;
  /** Bytes; what an answer without a known size may have at most. */
  readonly maxSize: number;
  register(id: JobId, transfer: Transfer): void;
  failing(url: MirrorUrl): boolean;
  mirrorFailed(url: MirrorUrl, failed: boolean): void;
  finalPath(sha256: Sha256): string;
  hashFailed(): void;
}

/** What is in the cache already and needs only a check. */
export type Cached =
  /** It may have changed on disk. */
  | { readonly check: 'hash'; readonly file: StoredFile }
  /** The name may stand for another file by now. */
  | { readonly check: 'mirror'; readonly file: StoredFile; readonly record: NameRecord };

/** Bytes after which earlier failures of a mirror do not count any more. */
const PROGRESS_BYTES = 256 * 1024;
/** Times that a file without a hash may change on the mirror while it is fetched. */
const MAX_RESTARTS = 3;
/** Faults that no other mirror can mend. */
const OWN_FAULTS = new Set<string>(['STORE_FULL', 'STORE_IO', 'CANCELLED', 'ACTOR_STOPPED', 'ACTOR_FAILED', 'INTERNAL']);

type Failed = Extract<RangeOutcome, { kind: 'failed' }>;

export class Transfer {
  readonly id: TransferId;
  readonly plan: FetchPlan;
  readonly #deps: TransferDeps;
  readonly #content: Content;
  readonly #jobs: Jobs;
  readonly #waiters: Waiters;
  readonly #candidates: Candidates;
  readonly #focus: number;
  #cached: Cached | undefined;
  #state: TransferStatus['state'] = 'starting';
  #info: FileInfo | undefined;
  #restarts = 0;
  #jobBytes = FIRST_JOB_BYTES;
  #noRanges = false;
  #mirrorBytes = 0;
  #retry: { clear(): void } | undefined;
  #kept: Promise<void> | undefined;
  #ended: () => void = () => undefined;
  #result: WholeFile | undefined;
  #fault: Fault | undefined;
  /** Clients that wait for it or read from it. */
  clients = 0;

  constructor(deps: TransferDeps, id: TransferId, key: TransferKey, plan: FetchPlan, from: number, cached?: Cached) {
    this.#deps = deps;
    this.id = id;
    this.plan = plan;
    this.#focus = from;
    this.#cached = cached;
    this.#content = new Content(deps, key, plan.sha256, plan.size);
    this.#waiters = new Waiters(deps.clock);
    this.#candidates = new Candidates([plan.url, ...plan.alternates], deps.failing);
    const jobsDeps = { ...deps, now: deps.clock.now, register: (job: JobId) => deps.register(job, this) };
    this.#jobs = new Jobs(jobsDeps, (ended, outcome) => this.#jobEnded(ended, outcome));
  }

  get ended(): boolean {
    return this.#state === 'done' || this.#state === 'failed';
  }

  get result(): WholeFile | undefined {
    return this.#result;
  }

  /** Why it failed; undefined as long as it has not. */
  get fault(): DebtorrentError | undefined {
    return this.#fault && new DebtorrentError(this.#fault.code, this.#fault.message);
  }

  /** The headers of an answer can be made of more than the plan. */
  get started(): boolean {
    return this.#info !== undefined || this.#content.have.bytes > 0;
  }

  /** There is a file to read from, and its size is known. */
  get readable(): boolean {
    return this.#content.path !== '' && this.#content.size !== undefined;
  }

  get size(): number | undefined {
    return this.#content.size;
  }

  /** Runs to the end; never rejects. What it came to is in `result` or `fault`. */
  async run(): Promise<void> {
    try {
      if (this.#cached?.check === 'hash' && (await this.#recheck(this.#cached.file))) return;
      if (this.#cached === undefined) await this.#content.open(this.plan.sha256 !== undefined);
      await new Promise<void>((resolve) => {
        this.#ended = resolve;
        this.#pump();
      });
    } catch (error) {
      this.#fail(asDebtorrentError(error));
    } finally {
      this.#retry?.clear();
    }
  }

  /** Resolves after `run` when nothing writes to the partial file any more and a good file is in the store. */
  async settled(): Promise<void> {
    await this.#kept;
    await this.#jobs.drained();
  }

  view(): ArrivingFile {
    const { path, epoch } = this.#content;
    return { kind: 'arriving', id: this.id, path, epoch, source: this.#source(), ...this.#head() };
  }

  async wait(position: number, epoch: number): Promise<Progress> {
    for (let waited = false; ; waited = true) {
      if (epoch !== this.#content.epoch) return { kind: 'restarted', epoch: this.#content.epoch };
      if (this.#result !== undefined) return this.#result;
      if (this.#fault !== undefined) return { kind: 'failed', ...this.#fault };
      const end = this.#content.available(position);
      if (end > position || waited) return { kind: 'more', end, size: this.size };
      await this.#waiters.wait(position);
    }
  }

  /** Resolves when there is news of any kind, or after some seconds. */
  news(): Promise<void> {
    return this.#waiters.wait(Number.MAX_SAFE_INTEGER);
  }

  status(): TransferStatus {
    return {
      path: this.plan.url,
      sha256: this.plan.sha256 ?? null,
      size: this.size ?? null,
      received: this.#content.have.bytes,
      from_peers: 0,
      from_mirror: this.#mirrorBytes,
      waiting_clients: this.clients,
      state: this.#state,
    };
  }

  /** A source has an answer's headers. */
  jobStarted(id: JobId, info: FileInfo): void {
    if (!this.#jobs.has(id)) return;
    const first = this.#info === undefined;
    this.#info = { ...this.#info, ...info };
    this.#content.size ??= info.size;
    this.#cached = undefined;
    this.#state = 'fetching';
    if (first) this.#waiters.wakeAll();
  }

  /** A source has written bytes into the partial file. */
  jobWrote(id: JobId, start: number, end: number): void {
    const running = this.#jobs.wrote(id, end - start);
    if (running === undefined) return;
    this.#mirrorBytes += end - start;
    this.#content.wrote(start, end);
    if (running.bytes >= PROGRESS_BYTES) this.#candidates.progressed(running.job.url);
    this.#waiters.progressed((position) => this.#content.available(position));
  }

  /** Ends it here; what has been fetched can be resumed by the next transfer of the same content. */
  park(): void {
    this.#fail(new DebtorrentError('STOPPING', 'the daemon is stopping'));
  }

  async #recheck(file: StoredFile): Promise<boolean> {
    this.#content.adopt(file);
    this.#state = 'verifying';
    const actual = await this.#deps.sha256(file.path, file.size).catch(() => undefined);
    const right = actual === file.sha256;
    this.#deps.store.tell('checked', file.sha256, right);
    if (right) {
      this.#succeed(fromStore(file));
      return true;
    }
    this.#deps.log.warn({ sha256: file.sha256 }, 'a cached file has changed on disk and is fetched again');
    this.#deps.hashFailed();
    this.#cached = undefined;
    this.#state = 'starting';
    this.#content.size = this.plan.size;
    this.#restart();
    return false;
  }

  #restart(): void {
    this.#content.restart();
    this.#waiters.wakeAll();
  }

  /** Starts as many jobs as make sense now, or goes on to the check when all bytes are there. */
  #pump(): void {
    if (this.ended || this.#retry !== undefined || this.#state === 'verifying') return;
    const { size, have, complete } = this.#content;
    if (complete) {
      if (this.#jobs.count === 0) void this.#verify(size as number);
      return;
    }
    const url = this.#candidates.current();
    if (url === undefined) {
      if (this.#jobs.count === 0) this.#giveUp();
      return;
    }
    if (size === undefined || this.plan.sha256 === undefined || this.#noRanges) {
      if (this.#jobs.count === 0) this.#start(url, this.#noRanges ? 0 : have.contiguousEnd(0), undefined);
      return;
    }
    const inFlight = this.#jobs.ranges(size);
    const { connections } = this.#deps;
    const plan = { size, have, inFlight, focus: this.#focus, jobBytes: this.#jobBytes, connections };
    for (const { start, end } of nextRanges(plan)) this.#start(url, start, end);
  }

  #start(url: MirrorUrl, start: number, end: number | undefined): void {
    const { sha256 } = this.plan;
    const size = sha256 === undefined ? undefined : this.size;
    const ifRange = sha256 === undefined && start > 0 ? strongValidator(this.#info) : undefined;
    const revalidate = this.#cached?.check === 'mirror' ? validatorsOf(this.#cached.record) : undefined;
    const job = {
      url,
      start,
      maxSize: this.#deps.maxSize,
      ...(end !== undefined && { end }),
      ...(size !== undefined && { size }),
      ...(ifRange !== undefined && { ifRange }),
      ...(revalidate !== undefined && { revalidate }),
    };
    this.#jobs.start(job, async () => {
      if (this.#content.path === '') await this.#content.open(false);
      return this.#content.path;
    });
  }

  #jobEnded({ job, bytes, tookMs }: EndedJob, outcome: RangeOutcome): void {
    if (this.ended) return;
    if (outcome.kind !== 'failed') this.#deps.mirrorFailed(job.url, false);
    switch (outcome.kind) {
      case 'done':
        this.#jobBytes = nextJobBytes(this.#jobBytes, bytes, tookMs);
        this.#info = { ...this.#info, ...outcome.info };
        this.#content.size ??= outcome.info.size ?? outcome.end;
        if (job.start === 0 && outcome.end === this.size) this.#content.wholeSha256 = outcome.sha256;
        break;
      case 'not-modified':
        this.#revalidated(outcome.info);
        return;
      case 'no-ranges':
        this.#noRanges = true;
        break;
      case 'changed':
        this.#changed({ job, bytes, tookMs });
        return;
      case 'failed':
        this.#jobFailed(job.url, outcome);
        return;
    }
    this.#pump();
  }

  #changed({ job }: EndedJob): void {
    this.#restarts += 1;
    if (this.plan.sha256 !== undefined || this.#restarts > MAX_RESTARTS) {
      const message = 'the file changed on the mirror while it was fetched';
      this.#jobFailed(job.url, { kind: 'failed', code: 'HASH_MISMATCH', message, transient: false });
      return;
    }
    this.#info = undefined;
    this.#content.size = undefined;
    this.#restart();
    this.#pump();
  }

  #jobFailed(url: MirrorUrl, { code, message, transient, retryAfterMs }: Failed): void {
    if (OWN_FAULTS.has(code)) {
      this.#fail(new DebtorrentError(code, message));
      return;
    }
    this.#deps.mirrorFailed(url, transient);
    this.#deps.log.debug({ url, code, reason: message }, 'a request to a mirror failed');
    const cached = this.#cached?.check === 'mirror' ? this.#cached : undefined;
    // With something to serve meanwhile, one try is enough.
    const delay = this.#candidates.failed(url, { code, message }, transient, retryAfterMs, cached === undefined);
    if (delay === undefined) {
      if (this.#jobs.count > 0) return;
      if (cached === undefined || !transient) {
        this.#giveUp();
        return;
      }
      this.#deps.log.warn({ url, code, reason: message }, 'the mirror is down: serving what is cached');
      this.#succeed({ ...fromName(cached.file, cached.record), stale: true });
      return;
    }
    if (this.#retry !== undefined) return;
    this.#retry = this.#deps.clock.setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, delay);
  }

  #giveUp(): void {
    const { code, message } = this.#candidates.verdict(this.plan.url);
    if (code === 'NOT_FOUND' || code === 'GONE') this.#deps.store.tell('dropName', this.plan.url);
    this.#fail(new DebtorrentError(code, `${this.plan.url}: ${message}`));
  }

  #revalidated(info: FileInfo): void {
    if (this.#cached?.check !== 'mirror') {
      this.#fail(new DebtorrentError('MIRROR_PROTOCOL', `${this.plan.url}: a 304 that was not asked for`));
      return;
    }
    const { file } = this.#cached;
    const record = { ...this.#cached.record, freshUntil: this.#deps.clock.now() + info.freshMs };
    this.#deps.store.tell('putName', record);
    this.#succeed(fromName(file, record));
  }

  async #verify(size: number): Promise<void> {
    this.#state = 'verifying';
    const { plan } = this;
    let actual: Sha256;
    try {
      actual = await this.#content.hash(size);
    } catch (error) {
      this.#fail(asDebtorrentError(error));
      return;
    }
    if (this.ended) return;
    if (plan.sha256 !== undefined && actual !== plan.sha256) {
      this.#mismatch(actual);
      return;
    }
    const freshMs = plan.sha256 === undefined ? (this.#info?.freshMs ?? 0) : Number.POSITIVE_INFINITY;
    const file: WholeFile = {
      kind: 'file',
      ...this.#head(),
      size,
      sha256: actual,
      path: this.#content.path,
      finalPath: this.#deps.finalPath(actual),
      source: this.#source(),
      stale: false,
      freshUntil: this.#deps.clock.now() + freshMs,
    };
    this.#kept = this.#keep(file);
    this.#succeed(file);
  }

  /** Clients have the file already; keeping it is for the next ones, so a failure here is only logged. */
  async #keep(file: WholeFile): Promise<void> {
    const { store, log } = this.#deps;
    const { url, sha256 } = this.plan;
    try {
      await this.#content.commit(file.sha256, file.lastModified);
    } catch (error) {
      log.warn({ url, err: error }, 'a file could not be kept');
      return;
    }
    this.#result = { ...file, path: file.finalPath };
    if (sha256 === undefined && this.#info?.storable !== false) store.tell('putName', nameRecord(url, file));
  }

  #mismatch(actual: Sha256): void {
    const { plan } = this;
    const { resumed } = this.#content;
    const url = this.#candidates.current() ?? plan.url;
    const from = resumed ? 'a resumed partial file' : url;
    const fault: Fault = { code: 'HASH_MISMATCH', message: `${from} has SHA-256 ${actual}, not ${plan.sha256}` };
    this.#deps.hashFailed();
    this.#deps.log.warn({ mirror: from, url, sha256: plan.sha256, actual }, 'hash mismatch: bytes thrown away');
    this.#restart();
    if (!resumed && this.#candidates.failed(url, fault, false) === undefined) {
      this.#fail(new DebtorrentError(fault.code, fault.message));
      return;
    }
    this.#state = 'starting';
    this.#content.open(false).then(
      () => this.#pump(),
      (error: unknown) => this.#fail(asDebtorrentError(error)),
    );
  }

  #succeed(file: WholeFile): void {
    this.#state = 'done';
    this.#result = file;
    this.#waiters.wakeAll();
    this.#ended();
  }

  #fail({ code, message }: DebtorrentError): void {
    if (this.ended) return;
    this.#state = 'failed';
    this.#fault = { code, message };
    this.#jobs.cancelAll();
    if (this.#cached?.check !== 'hash') this.#content.park();
    this.#waiters.wakeAll();
    this.#ended();
  }

  #source(): WholeFile['source'] {
    return this.#cached === undefined ? 'mirror' : 'cache';
  }

  #head(): FileHead {
    const { lastModified, etag, contentType } = this.#info ?? {};
    return { size: this.size, sha256: this.plan.sha256, lastModified, etag, contentType };
  }
}

/** What If-Range may carry: a strong ETag, else the date (RFC 9110 section 13.1.5). */
function strongValidator(info: FileInfo | undefined): string | undefined {
  if (info?.etag?.startsWith('"') === true) return info.etag;
  return info?.etag === undefined ? info?.lastModified : undefined;
}

function validatorsOf({ etag, lastModified }: NameRecord): { etag?: string; lastModified?: string } {
  return { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) };
}
