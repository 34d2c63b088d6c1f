/**
 * One file on its way: which of its bytes are there, who is asked for the rest, and whether the whole is what it
 * should be. It lives until the file is in the store or no source is left, whoever waits for it meanwhile. Its bytes
 * can be read as they come, but for the last block, which waits for the SHA-256 of the whole.
 */
import { FIRST_JOB_BYTES, nextJobBytes } from '../../core/job-size.ts';
import { asDebtorrentError, DebtorrentError } from '../../core/errors.ts';
import type { FetchPlan, SourceLabel } from '../../core/fetch-plan.ts';
import type { Clock } from '../../core/clock.ts';
import type { MirrorUrl, Sha256, TransferKey } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import { RangeSet } from '../../core/range-set.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { FileInfo, JobId, RangeJob, RangeOutcome, SourceProtocol } from '../source.ts';
import type { NameRecord, StoredFile, StoreProtocol } from '../store/protocol.ts';
import { Candidates, type Fault } from './candidates.ts';
import type { ArrivingFile, FileHead, Progress, TransferId, TransferStatus, WholeFile } from './protocol.ts';
import { nextRanges } from './range-plan.ts';
import { Waiters } from './waiters.ts';

export interface TransferDeps {
  readonly store: ActorRef<StoreProtocol>;
  readonly mirror: ActorRef<SourceProtocol>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly connections: number;
  /** Bytes; what an answer without a known size may have at most. */
  readonly maxSize: number;
  sha256(path: string, size: number): Promise<Sha256>;
  nextJobId(): JobId;
  /** Routes what a source says about a job. */
  register(id: JobId, transfer: Transfer): void;
  unregister(id: JobId): void;
  failing(url: MirrorUrl): boolean;
  mirrorFailed(url: MirrorUrl, failed: boolean): void;
  finalPath(sha256: Sha256): string;
  hashFailed(): void;
}

/** What is in the cache already and needs only a check. */
export interface Cached {
  readonly file: StoredFile;
  /** `hash`: the file may have changed on disk. `mirror`: the name may stand for another file by now. */
  readonly check: 'hash' | 'mirror';
  readonly record?: NameRecord;
}

/** Bytes at the end of a file that wait for its hash. */
export const LAST_BLOCK_BYTES = 16 * 1024;
/** A source may take as long as it moves; this only keeps an ask from being endless. */
const JOB_DEADLINE_MS = 12 * 3_600_000;
const CHECKPOINT_BYTES = 16 * 1024 * 1024;
const PROGRESS_BYTES = 256 * 1024;
const MAX_RESTARTS = 3;

interface Job {
  readonly job: RangeJob;
  readonly startedAt: number;
  bytes: number;
}

export class Transfer {
  readonly id: TransferId;
  readonly key: TransferKey;
  readonly plan: FetchPlan;
  readonly #deps: TransferDeps;
  readonly #waiters: Waiters;
  readonly #candidates: Candidates;
  readonly #jobs = new Map<JobId, Job>();
  #cached: Cached | undefined;
  #state: TransferStatus['state'] = 'starting';
  #path = '';
  #have = new RangeSet();
  #info: FileInfo | undefined;
  #size: number | undefined;
  #epoch = 0;
  #restarts = 0;
  #focus: number;
  #jobBytes = FIRST_JOB_BYTES;
  #noRanges = false;
  #resumed = false;
  #mirrorBytes = 0;
  #checkpointed = 0;
  #retry: { clear(): void } | undefined;
  #wholeSha256: Sha256 | undefined;
  #result: WholeFile | undefined;
  #fault: Fault | undefined;
  clients = 0;

  constructor(deps: TransferDeps, id: TransferId, key: TransferKey, plan: FetchPlan, from: number, cached?: Cached) {
    this.#deps = deps;
    this.id = id;
    this.key = key;
    this.plan = plan;
    this.#focus = from;
    this.#cached = cached;
    this.#size = plan.size;
    this.#waiters = new Waiters(deps.clock);
    this.#candidates = new Candidates([plan.url, ...plan.alternates], deps.failing);
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

  /** Runs to the end; never rejects. What it came to is in `result` or `fault`. */
  async run(): Promise<void> {
    try {
      if (this.#cached?.check === 'hash' && (await this.#recheck(this.#cached.file))) return;
      if (this.#cached?.check !== 'mirror') await this.#openPartial(this.plan.sha256 !== undefined);
      await new Promise<void>((resolve) => {
        this.#ended = resolve;
        this.#pump();
      });
    } catch (error) {
      this.#fail(asDebtorrentError(error));
    } finally {
      this.#retry?.clear();
      this.#waiters.wakeAll();
    }
  }

  /** Resolves after `run` when nothing writes to the partial file any more and a good file is in the store. */
  async settled(): Promise<void> {
    await this.#kept;
    if (this.#jobs.size > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
  }

  #ended: () => void = () => undefined;
  #drained: () => void = () => undefined;
  #kept: Promise<void> | undefined;

  /** Headers can be made, and either bytes can be read or the answer of the mirror is known. */
  get started(): boolean {
    return this.#info !== undefined || this.#have.bytes > 0;
  }

  get size(): number | undefined {
    return this.#size;
  }

  view(): ArrivingFile {
    return { kind: 'arriving', id: this.id, path: this.#path, source: this.#label(), epoch: this.#epoch, ...this.#head() };
  }

  async wait(position: number, epoch: number): Promise<Progress> {
    for (let waited = false; ; waited = true) {
      if (epoch !== this.#epoch) return { kind: 'restarted', epoch: this.#epoch };
      if (this.#result !== undefined) return this.#result;
      if (this.#fault !== undefined) return { kind: 'failed', ...this.#fault };
      const end = this.#available(position);
      if (end > position || waited) return { kind: 'more', end, size: this.#size };
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
      size: this.#size ?? null,
      received: this.#have.bytes,
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
    this.#size ??= info.size;
    this.#cached = undefined;
    this.#state = 'fetching';
    if (first) this.#waiters.wakeAll();
  }

  /** A source has written bytes into the partial file. */
  jobWrote(id: JobId, start: number, end: number): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    job.bytes += end - start;
    this.#mirrorBytes += end - start;
    this.#have.add(start, end);
    if (job.bytes >= PROGRESS_BYTES) this.#candidates.progressed(job.job.url);
    if (this.plan.sha256 !== undefined && this.#mirrorBytes - this.#checkpointed >= CHECKPOINT_BYTES) {
      this.#checkpointed = this.#mirrorBytes;
      this.#deps.store.tell('checkpoint', this.key, this.#have.toJSON());
    }
    this.#waiters.progressed((position) => this.#available(position));
  }

  /** Ends it here; what has been fetched can be resumed by the next transfer of the same content. */
  park(): void {
    if (this.ended) return;
    this.#fail(new DebtorrentError('STOPPING', 'the daemon is stopping'));
  }

  async #recheck(file: StoredFile): Promise<boolean> {
    this.#path = file.path;
    this.#state = 'verifying';
    this.#size = file.size;
    this.#have.add(0, file.size);
    const actual = await this.#deps.sha256(file.path, file.size).catch(() => undefined);
    const right = actual === file.sha256;
    this.#deps.store.tell('checked', file.sha256, right);
    if (right) {
      this.#succeed(this.#whole(file, 'cache', file.path));
      return true;
    }
    this.#deps.log.warn({ sha256: file.sha256 }, 'a cached file has changed on disk and is fetched again');
    this.#deps.hashFailed();
    this.#cached = undefined;
    this.#size = this.plan.size;
    this.#restart();
    return false;
  }

  async #openPartial(resume: boolean): Promise<void> {
    const partial = await this.#deps.store.ask('openPartial', this.key, this.#size, resume);
    this.#path = partial.path;
    this.#have = RangeSet.from(partial.ranges);
    this.#resumed = this.#have.bytes > 0;
  }

  #restart(): void {
    this.#have = new RangeSet();
    this.#epoch += 1;
    this.#wholeSha256 = undefined;
    this.#resumed = false;
    this.#waiters.wakeAll();
  }

  /** Starts as many jobs as make sense now, or goes on to the check when all bytes are there. */
  #pump(): void {
    if (this.ended || this.#retry !== undefined || this.#state === 'verifying') return;
    const size = this.#size;
    if (size !== undefined && this.#have.covers(0, size)) {
      if (this.#jobs.size === 0) void this.#verify(size);
      return;
    }
    const url = this.#candidates.current();
    if (url === undefined) {
      if (this.#jobs.size === 0) this.#giveUp();
      return;
    }
    if (size === undefined || this.plan.sha256 === undefined || this.#noRanges) {
      if (this.#jobs.size === 0) this.#start(url, this.#noRanges ? 0 : this.#have.contiguousEnd(0), undefined);
      return;
    }
    const inFlight = [...this.#jobs.values()].map(({ job }) => ({ start: job.start, end: job.end ?? size }));
    const { connections } = this.#deps;
    for (const { start, end } of nextRanges({
      size,
      have: this.#have,
      inFlight,
      focus: this.#focus,
      jobBytes: this.#jobBytes,
      connections,
    })) {
      this.#start(url, start, end);
    }
  }

  #start(url: MirrorUrl, start: number, end: number | undefined): void {
    const { plan } = this;
    const record = this.#cached?.record;
    const ifRange = plan.sha256 === undefined && start > 0 ? strongValidator(this.#info) : undefined;
    const job: RangeJob = {
      id: this.#deps.nextJobId(),
      url,
      path: this.#path,
      start,
      maxSize: this.#deps.maxSize,
      ...(end !== undefined && { end }),
      ...(plan.sha256 !== undefined && this.#size !== undefined && { size: this.#size }),
      ...(ifRange !== undefined && { ifRange }),
      ...(record !== undefined && {
        revalidate: {
          ...(record.etag !== undefined && { etag: record.etag }),
          ...(record.lastModified !== undefined && { lastModified: record.lastModified }),
        },
      }),
    };
    this.#jobs.set(job.id, { job, startedAt: this.#deps.clock.now(), bytes: 0 });
    this.#deps.register(job.id, this);
    const run = async (): Promise<RangeOutcome> => {
      // A revalidation most often ends in a 304: only now is it clear whether a file is needed for the answer.
      if (this.#path !== '') return this.#deps.mirror.within(JOB_DEADLINE_MS).ask('fetch', job);
      await this.#openPartial(false);
      return this.#deps.mirror.within(JOB_DEADLINE_MS).ask('fetch', { ...job, path: this.#path });
    };
    run().then(
      (outcome) => this.#jobEnded(job, outcome),
      (error: unknown) => {
        const { code, message } = asDebtorrentError(error);
        this.#jobEnded(job, { kind: 'failed', code, message, transient: false });
      },
    );
  }

  #jobEnded(job: RangeJob, outcome: RangeOutcome): void {
    const { startedAt, bytes } = this.#jobs.get(job.id) ?? { startedAt: 0, bytes: 0 };
    this.#jobs.delete(job.id);
    this.#deps.unregister(job.id);
    if (this.ended) {
      if (this.#jobs.size === 0) this.#drained();
      return;
    }
    switch (outcome.kind) {
      case 'done':
        this.#deps.mirrorFailed(job.url, false);
        this.#jobBytes = nextJobBytes(this.#jobBytes, bytes, this.#deps.clock.now() - startedAt);
        this.#info = { ...this.#info, ...outcome.info };
        this.#size ??= outcome.info.size ?? outcome.end;
        if (job.start === 0 && outcome.end === this.#size) this.#wholeSha256 = outcome.sha256;
        break;
      case 'not-modified':
        this.#deps.mirrorFailed(job.url, false);
        this.#revalidated(outcome.info);
        return;
      case 'no-ranges':
        this.#noRanges = true;
        break;
      case 'changed':
        this.#changed(job);
        return;
      case 'failed':
        this.#jobFailed(job, outcome);
        return;
    }
    this.#pump();
  }

  #changed(job: RangeJob): void {
    this.#restarts += 1;
    if (this.plan.sha256 !== undefined || this.#restarts > MAX_RESTARTS) {
      const message = 'the file changed on the mirror while it was fetched';
      this.#jobFailed(job, { kind: 'failed', code: 'HASH_MISMATCH', message, transient: false });
      return;
    }
    this.#info = undefined;
    this.#size = undefined;
    this.#restart();
    this.#pump();
  }

  #jobFailed(job: RangeJob, outcome: RangeOutcome & { kind: 'failed' }): void {
    const { code, message, transient, retryAfterMs } = outcome;
    if (code === 'STORE_FULL' || code === 'STORE_IO' || code === 'CANCELLED' || code === 'ACTOR_STOPPED') {
      this.#fail(new DebtorrentError(code, message));
      return;
    }
    this.#deps.mirrorFailed(job.url, transient);
    this.#deps.log.debug({ url: job.url, code, reason: message }, 'a request to a mirror failed');
    const stale = this.#cached?.check === 'mirror' ? this.#cached : undefined;
    const delay = this.#candidates.failed(job.url, { code, message }, transient, retryAfterMs, stale === undefined);
    if (delay === undefined && this.#jobs.size === 0) {
      if (stale !== undefined && transient) {
        this.#deps.log.warn({ url: job.url, code, reason: message }, 'mirror is down, serving what is cached');
        this.#succeed({ ...this.#whole(stale.file, 'cache', stale.file.path), ...fromRecord(stale.record), stale: true });
        return;
      }
      this.#giveUp();
      return;
    }
    if (delay === undefined || this.#retry !== undefined) return;
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
    const cached = this.#cached;
    if (cached?.record === undefined) {
      this.#fail(new DebtorrentError('MIRROR_PROTOCOL', 'a 304 that was not asked for'));
      return;
    }
    const freshUntil = this.#deps.clock.now() + info.freshMs;
    this.#deps.store.tell('putName', { ...cached.record, freshUntil });
    this.#succeed({ ...this.#whole(cached.file, 'cache', cached.file.path), ...fromRecord(cached.record), freshUntil });
  }

  async #verify(size: number): Promise<void> {
    this.#state = 'verifying';
    const { plan } = this;
    let actual: Sha256;
    try {
      actual = this.#wholeSha256 ?? (await this.#deps.sha256(this.#path, size));
    } catch (error) {
      this.#fail(asDebtorrentError(error));
      return;
    }
    if (this.ended) return;
    if (plan.sha256 !== undefined && actual !== plan.sha256) {
      this.#mismatch(actual);
      return;
    }
    const head = this.#head();
    const freshMs = plan.sha256 === undefined ? (this.#info?.freshMs ?? 0) : Number.POSITIVE_INFINITY;
    const file: WholeFile = {
      kind: 'file',
      ...head,
      size,
      sha256: actual,
      path: this.#path,
      finalPath: this.#deps.finalPath(actual),
      source: this.#label(),
      stale: false,
      freshUntil: this.#deps.clock.now() + freshMs,
    };
    this.#kept = this.#keep(file);
    this.#succeed(file);
  }

  /** Clients have the file already; keeping it is for the next ones, so a failure here is only logged. */
  async #keep(file: WholeFile): Promise<void> {
    const { store, log } = this.#deps;
    try {
      await store.within(60_000).ask('commit', this.key, file.sha256, file.lastModified);
    } catch (error) {
      log.warn({ url: this.plan.url, err: error }, 'a file could not be kept');
      return;
    }
    this.#result = { ...file, path: file.finalPath };
    if (this.plan.sha256 !== undefined || this.#info?.storable === false) return;
    store.tell('putName', {
      url: this.plan.url,
      sha256: file.sha256,
      size: file.size,
      freshUntil: file.freshUntil,
      ...(file.etag !== undefined && { etag: file.etag }),
      ...(file.lastModified !== undefined && { lastModified: file.lastModified }),
      ...(file.contentType !== undefined && { contentType: file.contentType }),
    });
  }

  #mismatch(actual: Sha256): void {
    const { plan } = this;
    const url = this.#candidates.current() ?? plan.url;
    const from = this.#resumed ? 'a resumed partial file' : url;
    const fault: Fault = { code: 'HASH_MISMATCH', message: `${from} has SHA-256 ${actual}, not ${plan.sha256}` };
    this.#deps.hashFailed();
    this.#deps.log.warn({ mirror: from, url, sha256: plan.sha256, actual }, 'hash mismatch: bytes thrown away');
    this.#deps.store.tell('discardPartial', this.key);
    const resumed = this.#resumed;
    this.#restart();
    if (!resumed && this.#candidates.failed(url, fault, false) === undefined) {
      this.#fail(new DebtorrentError(fault.code, fault.message));
      return;
    }
    this.#state = 'starting';
    this.#openPartial(false).then(
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
    for (const id of this.#jobs.keys()) this.#deps.mirror.tell('cancel', id);
    if (this.#path !== '' && this.#cached === undefined) {
      const resumable = this.plan.sha256 !== undefined && this.#have.bytes > 0 && code !== 'HASH_MISMATCH';
      if (resumable) this.#deps.store.tell('parkPartial', this.key, this.#have.toJSON());
      else this.#deps.store.tell('discardPartial', this.key);
    }
    this.#waiters.wakeAll();
    this.#ended();
  }

  #available(position: number): number {
    const end = this.#have.contiguousEnd(position);
    if (this.plan.sha256 === undefined) return end;
    // The last block waits for the hash, and where the end is not known any block may be the last.
    return Math.max(position, this.#size === undefined ? end - LAST_BLOCK_BYTES : Math.min(end, this.#size - LAST_BLOCK_BYTES));
  }

  #label(): SourceLabel {
    return this.#cached === undefined ? 'mirror' : 'cache';
  }

  #head(): FileHead {
    return {
      size: this.#size,
      sha256: this.plan.sha256,
      lastModified: this.#info?.lastModified,
      etag: this.#info?.etag,
      contentType: this.#info?.contentType,
    };
  }

  #whole(file: StoredFile, source: SourceLabel, path: string): WholeFile {
    return {
      kind: 'file',
      size: file.size,
      sha256: file.sha256,
      lastModified: file.lastModified,
      etag: undefined,
      contentType: undefined,
      path,
      finalPath: file.path,
      source,
      stale: false,
      freshUntil: Number.POSITIVE_INFINITY,
    };
  }
}

function fromRecord(record: NameRecord | undefined): Pick<WholeFile, 'etag' | 'contentType' | 'lastModified' | 'freshUntil'> {
  return {
    etag: record?.etag,
    contentType: record?.contentType,
    lastModified: record?.lastModified,
    freshUntil: record?.freshUntil ?? 0,
  };
}

/** What If-Range may carry: a strong ETag, else the date (RFC 9110 section 13.1.5). */
function strongValidator(info: FileInfo | undefined): string | undefined {
  if (info?.etag?.startsWith('"') === true) return info.etag;
  return info?.etag === undefined ? info?.lastModified : undefined;
}

