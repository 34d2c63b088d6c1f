/**
 * One file on its way: whether the cache still holds it, who waits for it, and whether the whole is what it should be.
 * It lives until the file is in the store or no source is left, whoever waits for it meanwhile. Its bytes can be read
 * as they come, but for the last block, which waits for the SHA-256 of the whole.
 */
import type { DatedClock } from '../../core/clock.ts';
import { DebtorrentError } from '../../core/errors.ts';
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { Sha256 } from '../../core/ids.ts';
import type { FileInfo, JobId } from '../source.ts';
import type { StoredFile } from '../store/protocol.ts';
import { checkCached, validatorsOf, type Cached } from './cached.ts';
import { Candidates, faultOf, NO_FILE_CODES, type Fault } from './candidates.ts';
import { Content, type ContentDeps } from './content.ts';
import type { FetchingDeps } from './fetching-deps.ts';
import { Fetching } from './fetching.ts';
import type { ArrivingFile, FileHead, Progress, TransferId, TransferStatus, WholeFile } from './protocol.ts';
import { Waiters } from './waiters.ts';
import { keep, tellPeers } from './keeping.ts';
import { readOn, statusOf } from './progress.ts';
import { ReadyBytes } from './ready-bytes.ts';
import { fromName, fromSources, fromStore } from './whole-file.ts';

export interface TransferDeps extends ContentDeps, Omit<FetchingDeps, 'register'> {
  readonly clock: DatedClock;
  register(id: JobId, transfer: Transfer): void;
  finalPath(sha256: Sha256): string;
  hashFailed(): void;
}

export class Transfer {
  readonly id: TransferId;
  readonly plan: FetchPlan;
  /** Its addresses, also those at which others ask for it. */
  readonly candidates: Candidates;
  readonly #deps: TransferDeps;
  readonly #content: Content;
  readonly #fetching: Fetching;
  readonly #waiters: Waiters;
  readonly #ready: ReadyBytes;
  #cached: Cached | undefined;
  #state: TransferStatus['state'] = 'starting';
  #kept: Promise<void> | undefined;
  #result: WholeFile | undefined;
  #fault: Fault | undefined;
  readonly #over: Promise<void>;
  #end!: () => void;
  /** Who waits for it or reads from it. */
  clients = 0;

  constructor(deps: TransferDeps, id: TransferId, plan: FetchPlan, from: number, cached?: Cached) {
    this.#deps = deps;
    this.id = id;
    this.plan = plan;
    this.#cached = cached;
    this.#over = new Promise((resolve) => (this.#end = resolve));
    this.#waiters = new Waiters(deps.clock, () => this.#fetching.awaited());
    this.#content = new Content(deps, plan);
    this.#ready = new ReadyBytes(this.#content);
    this.candidates = new Candidates([plan.url, ...plan.alternates], deps.failing);
    const revalidate = cached?.check === 'mirror' ? validatorsOf(cached.record) : undefined;
    const readers = () => this.#waiters.positions;
    const options = { plan, content: this.#content, candidates: this.candidates, focus: from, readers, revalidate };
    this.#fetching = new Fetching({ ...deps, register: (job: JobId) => deps.register(job, this) }, options, {
      started: () => this.#started(),
      progressed: () => {
        if (this.#state === 'starting') this.#started();
        this.#ready.progressed();
        this.#waiters.progressed((position) => this.#content.available(position));
      },
      complete: (size) => void this.#verify(size),
      restarted: () => this.#restarted(),
      notModified: (info) => this.#notModified(info),
      exhausted: (fault) => this.#exhausted(fault),
    });
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
    return (this.#fetching.mirror.info !== undefined || this.#content.have.bytes > 0) && !this.#content.growing;
  }

  /** There is a file to read from, and its size is known, so headers can be made though no mirror has answered. */
  get readable(): boolean {
    return this.#content.path !== '' && this.#content.size !== undefined;
  }

  /** Until it ends, its bytes are those of a cached file that may have been changed on disk. */
  get rechecking(): boolean {
    return this.#cached?.check === 'hash';
  }

  /** A mirror failed, so that headers may be followed by nothing. */
  get troubled(): boolean {
    return this.#fetching.troubled;
  }

  get size(): number | undefined {
    return this.#content.size;
  }

  /** Runs to the end; never rejects. What it came to is in `result` or `fault`. */
  async run(): Promise<void> {
    try {
      if (this.#cached?.check === 'hash') await this.#recheck(this.#cached.file);
      if (this.#cached === undefined && !this.ended) await this.#open();
      if (!this.ended) this.#fetching.start();
    } catch (error) {
      this.#fail(faultOf(error));
    }
    await this.#over;
  }

  /** Resolves after `run` when nothing writes to the partial file any more and the store has it, or was told of it. */
  async settled(): Promise<void> {
    await this.#kept;
    await this.#fetching.drained();
  }

  view(): ArrivingFile {
    return {
      kind: 'arriving',
      id: this.id,
      path: this.#content.readable(),
      epoch: this.#content.epoch,
      ready: this.#ready.memory(),
      source: this.#source(),
      ...this.#head(),
    };
  }

  wait(position: number, epoch: number): Promise<Progress> {
    return readOn(this.#content, this.#waiters, position, epoch, () => {
      if (this.#fault === undefined) return this.#result;
      return { kind: 'failed', code: this.#fault.code, message: this.#fault.message, epoch: this.#content.epoch };
    });
  }

  /** Resolves when there is news of any kind, or after `ms` milliseconds, or some seconds. */
  news(ms?: number): Promise<void> {
    return this.#waiters.news(ms);
  }

  status(): TransferStatus {
    return statusOf(this.plan, this.#content, this.#fetching, this.clients, this.#state);
  }

  /** Where what sources say of this transfer's jobs goes. */
  get jobs(): Pick<Fetching, 'mirror' | 'peerWrote' | 'neighboursChanged'> {
    return this.#fetching;
  }

  /** Ends it here; what has been fetched can be resumed. */
  park(): void {
    this.#fail({ code: 'STOPPING', message: 'the daemon is stopping', transient: true });
  }

  async #open(): Promise<void> {
    await this.#content.open(this.plan.sha256 !== undefined);
    // Ended meanwhile: whoever ended it did not see the file.
    if (this.ended) this.#content.park();
    else this.#waiters.wakeAll();
  }

  /** Hashes a cached file: the transfer is over if it is right; else it is gone and has to be fetched. */
  async #recheck(file: StoredFile): Promise<void> {
    this.#content.adopt(file);
    this.#state = 'verifying';
    const right = await checkCached(this.#deps, file);
    if (this.ended) return;
    if (right) {
      this.#succeed(fromStore(file));
      return;
    }
    this.#cached = undefined;
    this.#state = 'starting';
    this.#content.restart();
    this.#restarted();
  }

  #started(): void {
    this.#cached = undefined;
    if (this.#state === 'fetching') return;
    this.#state = 'fetching';
    const wake = () => this.#waiters.wakeAll();
    this.#content.grow(wake).catch((error: unknown) => this.#fail(faultOf(error)));
    wake();
  }

  #restarted(): void {
    this.#ready.restarted();
    if (!this.ended) this.#state = 'starting';
    this.#waiters.wakeAll();
  }

  #notModified(info: FileInfo): void {
    this.#content.discard();
    if (this.#cached?.check !== 'mirror') {
      const message = `${this.plan.url}: a 304 that was not asked for`;
      this.#fail({ code: 'MIRROR_PROTOCOL', message, transient: true });
      return;
    }
    const { file } = this.#cached;
    const record = { ...this.#cached.record, freshUntil: this.#deps.clock.date() + info.freshMs };
    this.#deps.store.tell('putName', record);
    this.#succeed(fromName(file, record));
  }

  #exhausted({ code, message, transient }: Fault): void {
    const { store, log } = this.#deps;
    const { url } = this.plan;
    if (this.#cached?.check === 'mirror' && transient) {
      log.warn({ url, code, reason: message }, 'the mirror is down: serving what is cached');
      this.#content.discard();
      this.#succeed({ ...fromName(this.#cached.file, this.#cached.record), stale: true });
      return;
    }
    if (NO_FILE_CODES.has(code)) store.tell('dropName', url);
    this.#fail({ code, message: `${url}: ${message}`, transient });
  }

  async #verify(size: number): Promise<void> {
    this.#state = 'verifying';
    const { plan } = this;
    const actual = await this.#content.hash(size).catch((error: unknown) => this.#fail(faultOf(error)));
    if (actual === undefined || this.ended) return;
    if (plan.sha256 !== undefined && actual !== plan.sha256) {
      this.#mismatch(actual);
      return;
    }
    const freshMs = plan.sha256 === undefined ? (this.#fetching.mirror.info?.freshMs ?? 0) : Number.POSITIVE_INFINITY;
    const file = fromSources(this.#head(), {
      size,
      sha256: actual,
      path: this.#content.path,
      finalPath: this.#deps.finalPath(actual),
      source: this.#source(),
      freshUntil: this.#deps.clock.date() + freshMs,
    });
    if (!this.#fetching.verified()) tellPeers(this.#deps, this.plan, file);
    this.#kept = this.#keep(file);
    this.#succeed(file);
  }

  async #keep(file: WholeFile): Promise<void> {
    const storable = this.#fetching.mirror.info?.storable !== false;
    if (await keep(this.#deps, this.#content, this.plan, file, storable))
      this.#result = { ...file, path: file.finalPath };
  }

  #mismatch(actual: Sha256): void {
    const { url, sha256 } = this.plan;
    const { fromPeers } = this.#fetching;
    const mirror = this.#fetching.mirror.sender;
    this.#deps.hashFailed();
    this.#deps.log.warn({ mirror, fromPeers, url, sha256, actual }, 'hash mismatch: bytes thrown away');
    this.#fetching.startOver(`what came from ${mirror} has SHA-256 ${actual}, not ${sha256}`);
  }

  #succeed(file: WholeFile): void {
    if (this.ended) return;
    this.#state = 'done';
    this.#result = file;
    this.#waiters.wakeAll();
    this.#end();
  }

  #fail(fault: Fault): void {
    if (this.ended) return;
    this.#state = 'failed';
    this.#fault = fault;
    this.#fetching.stop();
    // Who still writes would make the file again that is removed here.
    this.#kept = this.#fetching.drained().then(() => this.#content.park());
    this.#waiters.wakeAll();
    this.#end();
  }

  #source(): WholeFile['source'] {
    return this.#cached === undefined ? this.#fetching.source : 'cache';
  }

  #head(): FileHead {
    const { lastModified, etag, contentType } = this.#fetching.mirror.info ?? {};
    return { size: this.size, sha256: this.plan.sha256, lastModified, etag, contentType };
  }
}
