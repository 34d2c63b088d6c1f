/** Simulated clients, spread over threads: starts them, adds up what they tell, stops them. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Load } from '../load/load.ts';
import { type Counts, type Latencies, Tally, type Tick, addCounts, addLatencies } from '../measure/tally.ts';
import type { ArchiveFacts } from './apt-user.ts';
import type { Route } from './route.ts';

export interface CrowdOptions {
  readonly load: Load;
  readonly archive: ArchiveFacts;
  /** How often each package is wanted. */
  readonly weights: Float64Array;
  /** Client n takes the n-th of them, round and round. */
  readonly routes: readonly Route[];
}

export interface CrowdData extends CrowdOptions {
  readonly clients: readonly number[];
}

interface Done {
  readonly kind: 'done';
  readonly counts: Counts;
  readonly latencies: Latencies;
  readonly examples: readonly string[];
  /** Share of the time, 0 to 1, that the thread worked. */
  readonly busy: number;
  /** How late the thread was for its own timers: what it may have added to a latency. */
  readonly lateMs: { readonly p99: number; readonly max: number };
}

export type CrowdMessage = { readonly kind: 'tick'; readonly tick: Tick } | Done;

export interface CrowdResult extends Omit<Done, 'kind' | 'busy'> {
  /** Of each thread. */
  readonly busy: readonly number[];
}

export interface Crowd {
  readonly result: Promise<CrowdResult>;
  /** Ends all sessions; the result then comes within moments. */
  stop(): void;
}

/** @param onTick Called about once a second and thread */
export function startCrowd(
  options: CrowdOptions,
  threads: number,
  onTick: (tick: Tick, thread: number) => void,
): Crowd {
  const { clients } = options.load;
  const workers = Array.from({ length: Math.min(threads, clients) }, (_, thread) => {
    const mine = Array.from({ length: clients }, (_, client) => client).filter((client) => client % threads === thread);
    const workerData: CrowdData = { ...options, clients: mine };
    return new Worker(new URL('crowd.worker.js', import.meta.url), { workerData });
  });
  const stop = (): void => {
    for (const worker of workers) worker.postMessage('stop');
  };
  const all = Promise.all(workers.map((worker, thread) => finished(worker, (tick) => onTick(tick, thread))));
  const result = all.then(addUp, (error: unknown) => {
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

function addUp(all: readonly Done[]): CrowdResult {
  const total = new Tally();
  for (const { counts, latencies, examples } of all) {
    addCounts(total.counts, counts);
    addLatencies(total.latencies, latencies);
    total.examples.push(...examples);
  }
  return {
    counts: total.counts,
    latencies: total.latencies,
    examples: total.examples,
    busy: all.map(({ busy }) => busy),
    lateMs: {
      p99: Math.max(...all.map(({ lateMs }) => lateMs.p99)),
      max: Math.max(...all.map(({ lateMs }) => lateMs.max)),
    },
  };
}
