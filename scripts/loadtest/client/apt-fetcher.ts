/**
 * Fetches files as APT's http method does: one connection, answers in order, up to ten requests outstanding of files
 * whose hash is known, the first request of a connection alone; parts are kept and continued, what may pass is tried
 * again after 1, 2 and 4 s.
 */
import type { AnswerHead } from './answer-reader.ts';
import { Connection, type Loss, type ReadBuffer } from './connection.ts';
import { FileCheck } from './file-check.ts';
import { type Asked, requestHead } from './request-head.ts';
import type { Route } from './route.ts';
import { type Verdict, judge } from './verdict.ts';

export interface Wanted {
  readonly path: string;
  readonly kind: 'release' | 'index' | 'package';
  /** What it must be. */
  readonly size: number;
  readonly sha256: string;
  readonly modifiedSince?: string | undefined;
  /** Where it is not there it is looked for elsewhere. */
  readonly elsewhere?: boolean;
}

export type Fetched =
  | { readonly result: 'ok'; readonly lastModified: string | undefined }
  | { readonly result: 'not-modified' }
  | { readonly result: 'failed'; readonly code: string }
  /** The client left. */
  | { readonly result: 'left' };

export interface Timing {
  readonly kind: Wanted['kind'];
  readonly bytes: number;
  /** Milliseconds from when the answer could come, which is when the one before it was through, to its first byte. */
  readonly firstByteMs: number;
  /** The same to its last byte. */
  readonly completeMs: number;
  /** From the request to the first byte, the wait behind other answers included. */
  readonly sinceSentMs: number;
}

/** Hears what happens; called often, so it must be cheap. */
export interface FetchObserver {
  received(bytes: number): void;
  fetched(timing: Timing): void;
  /** Something went wrong that the user does not see. */
  retried(code: string): void;
  failed(code: string, path: string): void;
}

export interface FetcherOptions {
  readonly route: Route;
  readonly observer: FetchObserver;
  readonly into: ReadBuffer;
  /** 10, as Acquire::http::Pipeline-Depth and Acquire::Max-Pipeline-Depth are. */
  readonly depth?: number;
  /** 3, as Acquire::Retries is. */
  readonly retries?: number;
  /** 30,000, as Acquire::http::Timeout is. */
  readonly silenceMs?: number;
  /** Of the first retry; doubled for each further one; 1,000. */
  readonly retryDelayMs?: number;
}

interface Job {
  readonly wanted: Wanted;
  readonly check: FileCheck;
  readonly settle: (fetched: Fetched) => void;
  /** When the client leaves: this many bytes of the body. */
  readonly leaveAt: number;
  retries: number;
  /** It has been sent again at once after a connection that ended without an answer. */
  reconnected: boolean;
  sentAt: number;
  firstByteAt: number;
  verdict: Verdict | undefined;
}

export class AptFetcher {
  readonly #options: Required<FetcherOptions>;
  /** Not sent yet, the next one first. */
  #queue: Job[] = [];
  /** Sent, the one whose answer is due first. */
  #outstanding: Job[] = [];
  readonly #delayed = new Set<NodeJS.Timeout>();
  readonly #waiting = new Set<Job>();
  #connection: Connection | undefined;
  #open = false;
  /** An answer has come on this connection: it is known to be one that can be pipelined on. */
  #answered = false;
  #closing = false;
  /** The answer that was under way when the connection ended has been dealt with. */
  #cut = false;
  /** When the answer before was through, or the connection was asked for. */
  #freeAt = 0;

  constructor(options: FetcherOptions) {
    this.#options = { depth: 10, retries: 3, silenceMs: 30_000, retryDelayMs: 1000, ...options };
  }

  /**
   * Results in the order of `wanted`.
   * @param leave The client goes away for good after that share of the bytes of that file
   */
  fetchAll(wanted: readonly Wanted[], leave?: { readonly item: number; readonly share: number }): Promise<Fetched[]> {
    const results = wanted.map(
      (one, index) =>
        new Promise<Fetched>((settle) => {
          this.#queue.push({
            wanted: one,
            check: new FileCheck(),
            settle,
            leaveAt: leave?.item === index ? Math.max(1, Math.floor(one.size * leave.share)) : Infinity,
            retries: 0,
            reconnected: false,
            sentAt: 0,
            firstByteAt: 0,
            verdict: undefined,
          });
        }),
    );
    this.#pump();
    return Promise.all(results);
  }

  /** Drops the connection; what has not come settles as left. */
  close(): void {
    this.#disconnect();
    for (const timer of this.#delayed) clearTimeout(timer);
    this.#delayed.clear();
    const jobs = [...this.#queue, ...this.#waiting];
    this.#queue = [];
    this.#waiting.clear();
    for (const job of jobs) job.settle({ result: 'left' });
  }

  #pump(): void {
    if (this.#queue.length === 0 || this.#closing) return;
    if (this.#connection === undefined) this.#connect();
    if (!this.#open) return;
    let heads = '';
    const now = performance.now();
    while (this.#maySend()) {
      const job = this.#queue.shift();
      if (job === undefined) break;
      if (this.#outstanding.length === 0 && this.#answered) this.#freeAt = now;
      job.sentAt = now;
      job.firstByteAt = 0;
      job.verdict = undefined;
      this.#outstanding.push(job);
      heads += requestHead(this.#options.route, asked(job));
    }
    if (heads !== '') this.#connection?.send(heads);
  }

  #maySend(): boolean {
    const [next] = this.#queue;
    if (next === undefined) return false;
    if (this.#outstanding.length === 0) return true;
    if (!this.#answered || this.#outstanding.length >= this.#options.depth) return false;
    // APT knows the hash of all but the Release itself
    return next.wanted.kind !== 'release' && this.#outstanding.every(({ wanted }) => wanted.kind !== 'release');
  }

  #connect(): void {
    this.#open = false;
    this.#answered = false;
    this.#closing = false;
    this.#freeAt = performance.now();
    const { route, silenceMs, into } = this.#options;
    this.#connection = new Connection(
      { route, silenceMs, into },
      {
        open: () => {
          this.#open = true;
          this.#pump();
        },
        head: (head) => this.#head(head),
        body: (chunk) => this.#body(chunk),
        done: (complete) => this.#done(complete),
        lost: (why) => this.#lost(why),
      },
    );
  }

  #head(head: AnswerHead): void {
    this.#answered = true;
    if (head.last) this.#closing = true;
    const [job] = this.#outstanding;
    if (job === undefined) return;
    const { check } = job;
    const verdict = judge(head, check.date === undefined ? 0 : check.received);
    job.verdict = verdict;
    if (verdict.kind === 'take' && verdict.from === 0) check.restart(head.headers.get('last-modified'));
    if (head.length === 0 || verdict.kind === 'not-modified') job.firstByteAt = performance.now();
    this.#pump();
  }

  #body(chunk: Buffer): void {
    const [job] = this.#outstanding;
    if (job === undefined) return;
    if (job.firstByteAt === 0) job.firstByteAt = performance.now();
    if (job.verdict?.kind !== 'take') return;
    this.#options.observer.received(chunk.length);
    job.check.add(chunk);
    if (job.check.received >= job.leaveAt) this.close();
  }

  #done(complete: boolean): void {
    const job = this.#outstanding.shift();
    if (job === undefined) return;
    const now = performance.now();
    const { verdict, wanted, check } = job;
    const from = this.#freeAt;
    this.#freeAt = now;
    if (verdict === undefined || !complete) {
      this.#cut = true;
      return this.#retry(job, 'short-body');
    }
    if (verdict.kind === 'again') {
      check.restart(undefined);
      this.#queue.unshift(job);
    } else if (verdict.kind === 'error') {
      if (verdict.mayPass) this.#retry(job, verdict.code, verdict.afterMs);
      else this.#fail(job, verdict.code);
    } else {
      const right = verdict.kind === 'not-modified' || check.isRight(wanted.size, wanted.sha256);
      if (!right) this.#fail(job, check.received === wanted.size ? 'hash-mismatch' : 'wrong-size');
      else {
        this.#options.observer.fetched({
          kind: wanted.kind,
          bytes: verdict.kind === 'take' ? wanted.size : 0,
          firstByteMs: job.firstByteAt - from,
          completeMs: now - from,
          sinceSentMs: job.firstByteAt - Math.min(job.sentAt, from),
        });
        job.settle(verdict.kind === 'take' ? { result: 'ok', lastModified: check.date } : { result: 'not-modified' });
      }
    }
    if (this.#closing) this.#disconnect();
    this.#pump();
  }

  /** What has been sent and not answered is sent again on the next connection. */
  #disconnect(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#open = false;
    this.#closing = false;
    this.#cut = false;
    this.#queue.unshift(...this.#outstanding);
    this.#outstanding = [];
  }

  #lost(why: Loss): void {
    const due = (this.#outstanding.length > 0 && !this.#cut) || !this.#open;
    this.#disconnect();
    const [first] = this.#queue;
    if (due && first !== undefined) {
      if (why === 'closed' && !first.reconnected) first.reconnected = true;
      else {
        this.#queue.shift();
        this.#retry(first, why);
      }
    }
    this.#pump();
  }

  #retry(job: Job, code: string, afterMs?: number): void {
    if (job.retries >= this.#options.retries) return this.#fail(job, code);
    this.#options.observer.retried(code);
    const delay = afterMs ?? this.#options.retryDelayMs * 2 ** job.retries;
    job.retries += 1;
    job.reconnected = false;
    if (job.check.date === undefined) job.check.restart(undefined);
    this.#waiting.add(job);
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      this.#waiting.delete(job);
      this.#queue.push(job);
      this.#pump();
    }, delay);
    this.#delayed.add(timer);
  }

  #fail(job: Job, code: string): void {
    if (job.wanted.elsewhere === true && code === 'http-404') this.#options.observer.retried(code);
    else this.#options.observer.failed(code, job.wanted.path);
    job.settle({ result: 'failed', code });
  }
}

function asked({ wanted, check }: Job): Asked {
  const { path, kind, modifiedSince } = wanted;
  if (check.received > 0 && check.date !== undefined) {
    return { path, kind, resume: { from: check.received, date: check.date } };
  }
  return { path, kind, modifiedSince };
}
