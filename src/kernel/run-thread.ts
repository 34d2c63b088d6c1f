/** A worker thread with actors in it, seen from inside: each worker module calls runThread once, at its top level. */
import { parentPort, workerData } from 'node:worker_threads';

import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import type { LocalActor } from './actor.ts';
import { toFailure } from './envelope.ts';
import type { ActorRef } from './protocol.ts';
import type { AnyRef } from './ref.ts';
import { kernelClock } from './kernel-clock.ts';
import { Neighbours } from './neighbours.ts';
import { exportRefs, importRefs } from './remote.ts';
import { ThreadLog } from './thread-log.ts';
import type { FromWorker, ThreadData, ToWorker } from './thread-protocol.ts';
import { limitsOf } from './thread-protocol.ts';

export interface ThreadContext {
  /** What startThread was given; the worker knows its type. */
  readonly boot: unknown;
  /** Actors of the main thread. */
  readonly refs: Readonly<Record<string, AnyRef>>;
  /** The actor of the main thread of this name; throws INTERNAL when there is none. */
  ref<P>(name: string): ActorRef<P>;
  /**
   * An actor of another worker thread that the switchboard joins to this one, reached without the main thread. Stable:
   * messages go to the thread of that name that runs now; while there is none, asks reject with ACTOR_STOPPED.
   */
  neighbour<P>(thread: string, actor: string): ActorRef<P>;
  /** Writes to the main thread's log. */
  readonly log: Logger;
}

export interface ThreadActors {
  /**
   * What the main thread may send to. A LocalActor is watched: when it fails, the thread ends. A bare reference is
   * only passed on.
   */
  // eslint-disable-next-line typescript/no-explicit-any -- a table of actors of different protocols
  readonly actors: Readonly<Record<string, LocalActor<any> | AnyRef>>;
  /** Runs first on stop; LocalActors that it leaves running are stopped afterwards, the last of the table first. */
  readonly stop?: (() => void | Promise<void>) | undefined;
}

export function runThread(setup: (context: ThreadContext) => ThreadActors | Promise<ThreadActors>): void {
  if (parentPort === null) throw new DebtorrentError('INTERNAL', 'runThread was called outside a worker thread');
  const control = parentPort;
  const { name, boot, refs: limits, toMain, toWorker, lines } = workerData as ThreadData;
  const post = (message: FromWorker): void => control.postMessage(message);
  const log = new ThreadLog(post);
  const main = importRefs(toMain, { log });
  const neighbours = new Neighbours({ log, clock: kernelClock }, lines);
  const refs = Object.fromEntries(Object.entries(limits).map(([key, limit]) => [key, main.ref(key, limit)]));

  const fail = (error: unknown): never => {
    post({ type: 'failed', failure: toFailure(error, 'ACTOR_FAILED') });
    return process.exit(1);
  };

  let running: Promise<ThreadActors | undefined> = Promise.resolve(undefined);
  control.on('message', (message: ToWorker) => {
    if (message.type === 'logged') log.acknowledged(message.records);
    else if (message.type === 'line') neighbours.add(message.line);
    else if (message.type === 'begin') {
      running = start();
      running.catch(fail);
    } else running.then(stop).catch(fail);
  });

  async function start(): Promise<ThreadActors> {
    const threadActors = await setup({
      boot,
      refs,
      ref<P>(actor: string) {
        const ref = Object.hasOwn(refs, actor) ? refs[actor] : undefined;
        if (ref === undefined) throw new DebtorrentError('INTERNAL', `thread ${name} was not given the actor ${actor}`);
        return ref as ActorRef<P>;
      },
      neighbour: (thread, actor) => neighbours.ref(thread, actor),
      log,
    });
    const own: Record<string, AnyRef> = {};
    for (const [key, actor] of Object.entries(threadActors.actors)) {
      if ('ended' in actor) {
        own[key] = actor.ref;
        void actor.ended.then(({ error }) => error !== undefined && fail(error));
      } else {
        own[key] = actor;
      }
    }
    exportRefs(own, toWorker);
    neighbours.ready(own);
    post({ type: 'ready', actors: limitsOf(own) });
    return threadActors;
  }

  /** Leaves nothing of the kernel that keeps the thread alive; it ends when its actors have freed what they hold. */
  async function stop(made: ThreadActors | undefined): Promise<void> {
    try {
      await made?.stop?.();
    } catch (error) {
      log.error({ err: error }, 'stop of the thread failed');
    }
    for (const actor of Object.values(made?.actors ?? {}).toReversed()) {
      if ('ended' in actor) await actor.stop();
    }
    main.close();
    neighbours.close();
    toWorker.close();
    post({ type: 'stopped' });
    control.close();
  }
}
