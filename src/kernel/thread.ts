/**
 * A worker thread with actors in it, as the main thread sees it.
 *
 * The worker module calls runThread. An actor that fails in it ends the whole thread, and `ended` says why: threads
 * are what is supervised and restarted, with everything that is in them.
 * Whatever ends the thread (stop, failure, process.exit, an uncaught exception, no more memory, terminate), every ask
 * to its actors settles, with ACTOR_STOPPED if not better, and later ones reject at once.
 */
import type { MessagePort, ResourceLimits } from 'node:worker_threads';
import { MessageChannel, Worker } from 'node:worker_threads';

import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import { fromFailure } from './envelope.ts';
import type { ActorRef } from './protocol.ts';
import type { AnyRef } from './ref.ts';
import type { RemoteActors } from './remote.ts';
import { exportRefs, importRefs } from './remote.ts';
import type { Child } from './supervised-child.ts';
import { receiveLog } from './thread-log.ts';
import type { Place, Switchboard } from './switchboard.ts';
import type { FromWorker, Line, ThreadData, ToWorker } from './thread-protocol.ts';
import { limitsOf } from './thread-protocol.ts';

export { runThread } from './run-thread.ts';

export interface ThreadOptions {
  /** For logs and debuggers. */
  readonly name: string;
  /** The compiled worker module; see workerUrl. */
  readonly url: URL;
  /** What the worker starts with; cloned. */
  readonly boot?: unknown;
  /** Actors of this thread that the worker may send to. */
  readonly refs?: Readonly<Record<string, AnyRef>> | undefined;
  /** Joins it to other worker threads. */
  readonly switchboard?: Switchboard | undefined;
  readonly log: Logger;
  readonly clock?: Clock | undefined;
  readonly resourceLimits?: ResourceLimits | undefined;
  /** Milliseconds from stop() until the thread is terminated if it has not ended by itself. Default: 8000. */
  readonly graceMs?: number | undefined;
  /** Milliseconds that it may take to start. Default: 30000. */
  readonly startMs?: number | undefined;
}

export interface ThreadEnd {
  /** The exit code of the thread. */
  readonly code: number;
  /** Why it ended; absent when it ended by stop() or with code 0. */
  readonly error?: Error;
}

export interface Thread {
  readonly name: string;
  /** The worker's actors. */
  readonly refs: Readonly<Record<string, AnyRef>>;
  /** The worker's actor of this name; throws INTERNAL when there is none. */
  ref<P>(name: string): ActorRef<P>;
  /** Resolves when the thread has ended; never rejects, may be called again. */
  stop(): Promise<void>;
  /** Never rejects. */
  readonly ended: Promise<ThreadEnd>;
}

const DEFAULT_GRACE_MS = 8_000;
const DEFAULT_START_MS = 30_000;
/** Milliseconds that the port of a thread that has ended is given to close. */
const CLOSE_MS = 1_000;
/** Milliseconds that a thread whose actors have ended may live on because something is left open in it. */
const LINGER_MS = 500;

/** A thread that loads its modules; it has no actors yet. */
export interface LoadingThread {
  /** As startThread; may be called once. */
  start(): Promise<Thread>;
  /** In place of start: ends the thread. */
  discard(): Promise<void>;
}

/**
 * Resolves when the worker's actors are there. Rejects when its module or its setup fails (with the DebtorrentError
 * that the setup threw, else ACTOR_FAILED), or with ASK_TIMEOUT when it takes too long.
 */
export async function startThread(options: ThreadOptions): Promise<Thread> {
  return await loadThread(options).start();
}

/** The same in two steps: several threads can load their modules at the same time, and start one after another. */
export function loadThread(options: ThreadOptions): LoadingThread {
  const thread = new WorkerThread(options);
  return { start: () => thread.start(), discard: () => thread.stop() };
}

/** For a supervisor. Threads load their modules at the same time, whichever starts first: half of the start is that. */
export function threadChild(options: ThreadOptions): Child {
  return { name: options.name, prepare: () => loadThread(options), start: () => startThread(options) };
}

class WorkerThread implements Thread {
  readonly name: string;
  readonly ended: Promise<ThreadEnd>;
  readonly #options: ThreadOptions;
  readonly #clock: Clock;
  readonly #worker: Worker;
  readonly #actors: RemoteActors;
  /** Where this thread's actors are exported. */
  readonly #exports: MessagePort;
  readonly #place: Place | undefined;
  readonly #readied: Promise<undefined>;
  #refs: Readonly<Record<string, AnyRef>> = {};
  /** It has been ready. */
  #ran = false;
  #cause: Error | undefined;
  #stopped: Promise<void> | undefined;
  #graceTimer: { clear(): void } | undefined;

  constructor(options: ThreadOptions) {
    const { name, log, clock, refs = {} } = options;
    const toMain = new MessageChannel();
    const toWorker = new MessageChannel();
    this.name = name;
    this.#options = options;
    this.#clock = clock ?? systemClock;
    this.#place = options.switchboard?.open(name, (line) => this.#give(line));
    this.#worker = newWorker(options, toMain.port2, toWorker.port2, this.#place?.lines ?? []);
    this.#exports = toMain.port1;
    exportRefs(refs, this.#exports);
    this.#actors = importRefs(toWorker.port1, { log, clock });
    this.ended = new Promise((resolve) => this.#worker.once('exit', (code) => resolve(this.#end(code))));
    this.#readied = this.#ready();
    this.#worker.on('error', (error: unknown) => this.#failed(error));
    this.#worker.on('messageerror', (error) => log.error({ thread: name, err: error }, 'message cannot be read'));
  }

  get refs(): Readonly<Record<string, AnyRef>> {
    return this.#refs;
  }

  ref<P>(name: string): ActorRef<P> {
    const ref = Object.hasOwn(this.#refs, name) ? this.#refs[name] : undefined;
    if (ref === undefined) throw new DebtorrentError('INTERNAL', `thread ${this.name} has no actor ${name}`);
    return ref as ActorRef<P>;
  }

  async start(): Promise<Thread> {
    const { startMs = DEFAULT_START_MS } = this.#options;
    const timer = this.#clock.setTimeout(() => {
      this.#failed(new DebtorrentError('ASK_TIMEOUT', `thread ${this.name} did not start within ${startMs} ms`));
      void this.#worker.terminate();
    }, startMs);
    this.#post({ type: 'begin' });
    const end = await Promise.race([this.#readied, this.ended]);
    timer.clear();
    if (end === undefined) return this;
    if (end.error instanceof DebtorrentError) throw end.error;
    const message = end.error?.message ?? `it ended with code ${end.code}`;
    throw new DebtorrentError('ACTOR_FAILED', `thread ${this.name} did not start: ${message}`, { cause: end.error });
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#terminateIn(this.#options.graceMs ?? DEFAULT_GRACE_MS, 'thread did not stop in time and is terminated');
    this.#post({ type: 'stop' });
    await this.ended;
    this.#graceTimer?.clear();
  }

  #give(line: Line): void {
    this.#worker.postMessage({ type: 'line', line } satisfies ToWorker, [line.port]);
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** Takes what the worker says from now on; resolves when it says that its actors are there. */
  #ready(): Promise<undefined> {
    const takeLog = receiveLog(this.#options.log, this.name, (records) => this.#post({ type: 'logged', records }));
    return new Promise((resolve) => {
      this.#worker.on('message', (message: FromWorker) => {
        if (message.type === 'log') takeLog(message);
        else if (message.type === 'failed') this.#failed(fromFailure(message.failure));
        else if (message.type === 'stopped') this.#terminateIn(LINGER_MS, 'something kept the thread alive after stop');
        else {
          const refs = Object.entries(message.actors).map(([name, limit]) => [name, this.#actors.ref(name, limit)]);
          this.#refs = Object.fromEntries(refs) as Record<string, AnyRef>;
          this.#ran = true;
          this.#place?.ready(message.actors);
          resolve(undefined);
        }
      });
    });
  }

  #terminateIn(ms: number, message: string): void {
    this.#graceTimer?.clear();
    this.#graceTimer = this.#clock.setTimeout(() => {
      this.#options.log.warn({ thread: this.name, ms }, message);
      void this.#worker.terminate();
    }, ms);
  }

  /** The first failure is what the others follow from. */
  #failed(error: unknown): void {
    this.#cause ??= error instanceof Error ? error : new Error(String(error));
  }

  async #end(code: number): Promise<ThreadEnd> {
    this.#place?.close();
    // the port closes by itself, after the replies that the worker sent last
    const closing = this.#clock.setTimeout(() => this.#actors.close(), CLOSE_MS);
    await this.#actors.closed;
    closing.clear();
    this.#exports.close();
    if (code !== 0 && this.#stopped === undefined) {
      this.#failed(new DebtorrentError('ACTOR_FAILED', `thread ${this.name} ended with code ${code}`));
    }
    if (this.#cause === undefined) return { code };
    // whoever starts it is told of what its setup refuses to do; faults are logged with their place in the program
    const refused = !this.#ran && this.#cause instanceof DebtorrentError && this.#cause.code !== 'ACTOR_FAILED';
    if (!refused) this.#options.log.error({ thread: this.name, code, err: this.#cause }, 'thread failed');
    return { code, error: this.#cause };
  }
}

function newWorker(
  { name, url, boot, refs = {}, resourceLimits }: ThreadOptions,
  toMain: ThreadData['toMain'],
  toWorker: ThreadData['toWorker'],
  lines: readonly Line[],
): Worker {
  const workerData: ThreadData = { name, boot, refs: limitsOf(refs), toMain, toWorker, lines };
  return new Worker(url, {
    name,
    workerData,
    transferList: [toMain, toWorker, ...lines.map(({ port }) => port)],
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  });
}
