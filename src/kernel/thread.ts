/**
 * A worker thread with actors in it, as the main thread sees it.
 *
 * The worker module calls runThread. An actor that fails in it ends the whole thread, and `ended` says why: threads
 * are what is supervised and restarted, with everything that is in them.
 * Whatever ends the thread (stop, failure, process.exit, an uncaught exception, no more memory, terminate), every ask
 * to its actors settles, with ACTOR_STOPPED if not better, and later ones reject at once.
 */
import type { ResourceLimits } from 'node:worker_threads';
import { MessageChannel, Worker } from 'node:worker_threads';

import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import { fromFailure } from './envelope.ts';
import type { ActorRef } from './protocol.ts';
import type { AnyRef } from './ref.ts';
import { exportRefs, importRefs } from './remote.ts';
import { receiveLog } from './thread-log.ts';
import type { FromWorker, Limits, ThreadData, ToWorker } from './thread-protocol.ts';
import { limitsOf } from './thread-protocol.ts';

export type { ThreadActors, ThreadContext } from './run-thread.ts';
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

/**
 * Resolves when the worker's actors are there. Rejects when its module or its setup fails (with the DebtorrentError
 * that the setup threw, else ACTOR_FAILED), or with ASK_TIMEOUT when it takes too long.
 */
export async function startThread(options: ThreadOptions): Promise<Thread> {
  const { name, log, clock = systemClock, startMs = DEFAULT_START_MS } = options;
  const main = new MessageChannel();
  const worker = new MessageChannel();
  const control = newWorker(options, main.port2, worker.port2);
  exportRefs(options.refs ?? {}, main.port1);
  const actors = importRefs(worker.port1, { log, clock: options.clock });
  const post = (message: ToWorker): void => control.postMessage(message);
  const takeLog = receiveLog(log, name, (records) => post({ type: 'logged', records }));

  let stopping = false;
  let cause: Error | undefined;
  let ready: (limits: Limits) => void;
  const started = new Promise<Limits>((resolve) => (ready = resolve));
  const ended = new Promise<ThreadEnd>((resolve) => {
    control.on('message', (message: FromWorker) => {
      if (message.type === 'ready') ready(message.actors);
      else if (message.type === 'failed') cause ??= fromFailure(message.failure);
      else takeLog(message);
    });
    control.on('error', (error: unknown) => (cause ??= error instanceof Error ? error : new Error(String(error))));
    control.on('messageerror', (error) => log.error({ thread: name, err: error }, 'message cannot be read'));
    control.once('exit', (code) => {
      actors.close();
      main.port1.close();
      if (cause === undefined && code !== 0 && !stopping) {
        cause = new DebtorrentError('ACTOR_FAILED', `thread ${name} ended with code ${code}`);
      }
      if (cause !== undefined) log.error({ thread: name, code, err: cause }, 'thread failed');
      resolve(cause === undefined ? { code } : { code, error: cause });
    });
  });

  const limits = await limited();
  const refs = Object.fromEntries(Object.entries(limits).map(([key, limit]) => [key, actors.ref(key, limit)]));
  let stopped: Promise<void> | undefined;
  return {
    name,
    refs,
    ref<P>(actor: string) {
      const ref = Object.hasOwn(refs, actor) ? refs[actor] : undefined;
      if (ref === undefined) throw new DebtorrentError('INTERNAL', `thread ${name} has no actor ${actor}`);
      return ref as ActorRef<P>;
    },
    stop: () => (stopped ??= stop()),
    ended,
  };

  /** The ready message, or the failure that came instead. */
  async function limited(): Promise<Limits> {
    const timer = clock.setTimeout(() => {
      cause ??= new DebtorrentError('ASK_TIMEOUT', `thread ${name} did not start within ${startMs} ms`);
      void control.terminate();
    }, startMs);
    const failed = ended.then(({ code }): never => {
      if (cause instanceof DebtorrentError) throw cause;
      const message = cause === undefined ? `ended with code ${code}` : cause.message;
      throw new DebtorrentError('ACTOR_FAILED', `thread ${name} did not start: ${message}`, { cause });
    });
    try {
      return await Promise.race([started, failed]);
    } finally {
      timer.clear();
      failed.catch(() => undefined);
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    const graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
    const timer = clock.setTimeout(() => {
      log.warn({ thread: name, graceMs }, 'thread did not end in time and is terminated');
      void control.terminate();
    }, graceMs);
    post({ type: 'stop' });
    await ended;
    timer.clear();
  }
}

function newWorker(
  { name, url, boot, refs = {}, resourceLimits }: ThreadOptions,
  toMain: ThreadData['toMain'],
  toWorker: ThreadData['toWorker'],
): Worker {
  const workerData: ThreadData = { name, boot, refs: limitsOf(refs), toMain, toWorker };
  return new Worker(url, {
    name,
    workerData,
    transferList: [toMain, toWorker],
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  });
}
