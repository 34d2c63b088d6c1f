/**
 * The peers' part of one transfer: its want, and the ranges that peers are asked for. A transfer
 * without them goes on with mirrors, so nothing here fails it.
 */
import type { Clock } from '../../core/clock.ts';
import { asDebtorrentError } from '../../core/errors.ts';
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { Logger } from '../../core/logging.ts';
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import type { JobId } from '../source.ts';
import type { Contribution, PeerView, WantId } from '../swarm/protocol.ts';
import type { Content } from './content.ts';
import { Offered } from './offered.ts';
import { PeerAnswers } from './peer-answers.ts';
import type { PeerDirectory } from './peer-directory.ts';
import { PeerJobs, type PeerJobEnd, type PeerJobsDeps, type RunningPeerJob } from './peer-jobs.ts';

export interface PeerSideDeps extends PeerJobsDeps {
  readonly directory: PeerDirectory;
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts bytes of all transfers. */
  peersReceived(bytes: number): void;
}

export interface PeerHost {
  /** What comes is wanted; else it is only waited for its end. */
  readonly active: boolean;
  wrote(start: number, end: number): void;
  /** What peers can do has changed, or a job has ended. */
  ready(): void;
  /** Somebody may go on writing to the partial file for ever. */
  lost(): void;
}

/** An answer that is late is of use as long as the file comes. */
const LATEST_ANSWER_MS = 60_000;
/** Jobs at once. */
const MAX_JOBS = 4;
/** Peers that stalled get nothing new for this time, in milliseconds, twice as long each time. */
const FIRST_BENCH_MS = 2_000;
const MAX_BENCH_MS = 30_000;
/** Jobs in a row that fail without a byte before peers are not asked any more. */
const MAX_FAILURES = 8;
const GONE = new Set<string>(['ACTOR_STOPPED', 'ACTOR_FAILED', 'INTERNAL']);

export class PeerSide {
  readonly offered = new Offered();
  readonly #deps: PeerSideDeps;
  readonly #host: PeerHost;
  readonly #plan: FetchPlan;
  readonly #content: Content;
  readonly #jobs: PeerJobs;
  #state: 'idle' | 'open' | 'off' = 'idle';
  #want: WantId | undefined;
  readonly #answers: PeerAnswers;
  #received = 0;
  #failures = 0;
  #benchMs = FIRST_BENCH_MS;
  #bench: { clear(): void } | undefined;
  /** What came from peers and is there now. */
  came = new RangeSet();

  constructor(deps: PeerSideDeps, plan: FetchPlan, content: Content, host: PeerHost) {
    this.#deps = deps;
    this.#host = host;
    this.#plan = plan;
    this.#content = content;
    this.#answers = new PeerAnswers(deps.clock, () => host.ready());
    this.#jobs = new PeerJobs(deps, (ended, end) => this.#jobEnded(ended, end));
  }

  /** Peers can be of use for such a file, if there are any. */
  static suits({ sha256, size, torrents }: FetchPlan): boolean {
    return sha256 !== undefined && size !== undefined && size > 0 && torrents.length > 0;
  }

  get want(): WantId | undefined {
    return this.#state === 'open' ? this.#want : undefined;
  }

  get jobs(): Pick<PeerJobs, 'count' | 'ranges' | 'all' | 'get' | 'cancel' | 'cancelAll' | 'drained'> {
    return this.#jobs;
  }

  get received(): number {
    return this.#received;
  }

  /** What they have, and take, is not known of all of them yet, and may be any moment. */
  get late(): boolean {
    return this.#state === 'open' && this.#answers.awaited;
  }

  /** They stalled lately. */
  get benched(): boolean {
    return this.#bench !== undefined;
  }

  /** Jobs that may be started now. */
  get slots(): number {
    return this.#state === 'open' ? MAX_JOBS - this.#jobs.count : 0;
  }

  /**
   * Opens the want if there is somebody to ask; undefined when there is nobody. The promise resolves when it is known
   * what peers have, or that takes too long, and never rejects. `focus` is the byte needed first.
   */
  seek(focus: number): Promise<void> | undefined {
    const { directory } = this.#deps;
    const { sha256, size, torrents } = this.#plan;
    if (this.#state !== 'idle' || sha256 === undefined || size === undefined || !directory.near(torrents)) {
      return undefined;
    }
    this.#state = 'open';
    const id = (this.#want = directory.openWant((view) => this.#heard(view)));
    const { path } = this.#content;
    const ms = directory.patience;
    const answered = this.#answers.asked(ms, () => {
      directory.answered(false);
      this.#deps.log.debug({ ms }, 'peers do not answer in time');
    });
    directory.ref
      .within(LATEST_ANSWER_MS)
      .ask('seek', { id, sha256, size, path, focus, torrents })
      .then(
        (view) => {
          directory.answered(true);
          this.#heard(view);
        },
        (error: unknown) => {
          directory.answered(false);
          const { code, message } = asDebtorrentError(error);
          this.#deps.log.debug({ code, reason: message }, 'peers did not answer');
          // Offers may come all the same; from a thread that has ended none come.
          if (code === 'ASK_TIMEOUT') this.#answers.stop();
          else this.off();
        },
      );
    return answered;
  }

  /** Links have come or gone; true when that makes a difference now. */
  neighboursLeft(): boolean {
    if (this.#state !== 'open' || this.#deps.directory.near(this.#plan.torrents)) return false;
    this.offered.clear();
    return true;
  }

  start(range: ByteRange): void {
    if (this.want === undefined) return;
    // What a mirror hashed on the way may not be what is in the file.
    this.#content.mixed = true;
    this.#jobs.start(this.want, range);
  }

  /** Bytes of a peer job are in the partial file. */
  jobWrote(id: JobId, start: number, end: number): void {
    const fresh = this.#jobs.wrote(id, start, end);
    if (fresh !== undefined) this.#count(fresh, start, end);
  }

  /** Peers stalled: for a while they are not asked. */
  sitOut(): void {
    if (this.#bench !== undefined) return;
    this.#bench = this.#deps.clock.setTimeout(() => {
      this.#bench = undefined;
      this.#host.ready();
    }, this.#benchMs);
    this.#benchMs = Math.min(this.#benchMs * 2, MAX_BENCH_MS);
  }

  /** Milliseconds until peers send something of what they are asked for, as a rule. */
  get firstBytesMs(): number {
    return this.#deps.directory.firstBytesMs;
  }

  /** The swarm's thread answers. */
  alive(): Promise<boolean> {
    return this.#deps.directory.alive();
  }

  /** Who sent what; where nobody can say, nobody. */
  async contributions(): Promise<readonly Contribution[]> {
    return this.want === undefined ? [] : this.#deps.directory.contributions(this.want);
  }

  /** Peers are not asked any more in this transfer. */
  off(): void {
    this.over(false);
  }

  /** The transfer is over. */
  over(verified: boolean): void {
    if (!verified) this.#jobs.cancelAll();
    this.#close(verified);
  }

  #close(verified: boolean): void {
    this.#bench?.clear();
    this.#bench = undefined;
    this.#answers.stop();
    this.offered.clear();
    const { want } = this;
    this.#state = 'off';
    if (want === undefined) return;
    this.#deps.directory.closeWant(want);
    this.#deps.directory.ref.tell('over', want, verified);
  }

  #heard(view: PeerView): void {
    if (this.#state !== 'open') return;
    this.#answers.came(view.unanswered);
    this.offered.take(view, this.#plan.size ?? 0);
    this.#host.ready();
  }

  #count(fresh: number, start: number, end: number): void {
    if (fresh <= 0) return;
    this.#received += fresh;
    this.#deps.peersReceived(fresh);
    this.#failures = 0;
    if (this.#bench !== undefined) {
      this.#bench.clear();
      this.#bench = undefined;
    }
    if (!this.#host.active) return;
    this.came.add(start, end);
    this.#content.wrote(start, end);
    this.#host.wrote(start, end);
  }

  #jobEnded({ job, own }: RunningPeerJob, end: PeerJobEnd): void {
    switch (end.kind) {
      case 'done':
        this.#benchMs = FIRST_BENCH_MS;
        // What was told of the bytes may come after the outcome.
        this.#count(job.end - job.start - own.bytes, job.start, job.end);
        break;
      case 'failed':
        this.#deps.log.debug({ code: end.code, reason: end.message }, 'peers did not give a range');
        this.offered.bar(job);
        this.#failures += 1;
        if (GONE.has(end.code) || this.#failures >= MAX_FAILURES) this.off();
        break;
      case 'cancelled':
        break;
      case 'lost':
        this.off();
        this.#host.lost();
        return;
    }
    if (this.#host.active) this.#host.ready();
  }
}
