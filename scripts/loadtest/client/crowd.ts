/** Simulated clients, spread over threads: starts them, adds up what they tell, stops them. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Load } from '../load/load.ts';
import type { Lateness } from '../measure/lateness.ts';
import type { Counts, Latencies, Tick } from '../measure/tally.ts';
import type { ArchiveFacts } from './apt-user.ts';
import type { Route } from './route.ts';

export interface CrowdOptions {
  readonly load: Load;
  readonly archive: ArchiveFacts;
  /** How often each package is wanted. */
  readonly weights: Float64Array;
  /** Client n takes the n-th of them, round and round. */
  readonly routes: readonly Route[];
  readonly threads: number;
}

export interface CrowdData extends CrowdOptions {
  readonly clients: readonly number[];
}

/** What a thread has seen in all. */
export interface Done {
  readonly kind: 'done';
  readonly counts: Counts;
  readonly latencies: Latencies;
  readonly examples: readonly string[];
  /** Share of the time, 0 to 1, that the thread worked. */
  readonly busy: number;
  /** How late the thread was for its own timers: what it may have added to a latency. */
  readonly lateMs: Lateness;
}

export type CrowdMessage = { readonly kind: 'tick'; readonly tick: Tick } | Done;

export interface Crowd {
  readonly result: Promise<readonly Done[]>;
  /** Ends all sessions; the result then comes within moments. */
  stop(): void;
}

/** @param onTick Called about once a second and thread */
export function startCrowd(options: CrowdOptions, onTick: (tick: Tick, thread: number) => void): Crowd {
  const { clients } = options.load;
  const workers = Array.from({ length: Math.min(options.threads, clients) }, (_, thread) => {
    const mine = Array.from({ length: clients }, (_, client) => client).filter(
      (client) => client % options.threads === thread,
    );
    const workerData: CrowdData = { ...options, clients: mine };
    return new Worker(new URL('crowd.worker.js', import.meta.url), { workerData });
  });
  const stop = (): void => {
    for (const worker of workers) worker.postMessage('stop');
  };
  const all = Promise.all(workers.map((worker, thread) => finished(worker, (tick) => onTick(tick, thread))));
  const result = all.catch((error: unknown) => {
    for (const worker of workers) void worker.terminate();
    throw error;
  });
  return { result, stop };
}

async function finished(worker: Worker, onTick: (tick: Tick) => void): Promise<Done> {
  let done: Done | undefined;
  worker.on('message', (message: CrowdMessage) => {
    if (message.kind === 'tick') onTick(message.tick);
    else done = message;
  });
  await once(worker, 'exit');
  if (done === undefined) throw new Error('a thread of clients ended early');
  return done;
}
