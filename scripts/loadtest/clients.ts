/** Clients of all kinds at work together: simulated ones in threads, real apt-get in processes. */
import { setMaxListeners } from 'node:events';
import type { Scope } from '../support/scope.ts';
import type { LoadArchive } from './archive/load-archive.ts';
import { type Done, startCrowd } from './client/crowd.ts';
import { prepareRealApt } from './client/real-apt.ts';
import type { Route } from './client/route.ts';
import type { Load } from './load/load.ts';
import { Sampler } from './load/popularity.ts';
import { Tally, type Tick, addCounts, addLatencies } from './measure/tally.ts';

export interface ClientsOptions {
  /** Of the simulated clients. */
  readonly load: Load;
  /** How many real ones there are besides. */
  readonly realApts: number;
  /** And how many of apt-get with our method, which takes `methods`; else they are as the others. */
  readonly methodApts: number;
  readonly methods: boolean;
  readonly archive: LoadArchive;
  readonly weights: Float64Array;
  readonly routes: readonly Route[];
  readonly threads: number;
  /** For the roots of real clients. */
  readonly directory: string;
  /** Called about once a second by each thread, and for the real ones. */
  readonly onTick: (tick: Tick, thread: number) => void;
}

export interface Seen {
  readonly tally: Tally;
  /** Share of the time, 0 to 1, that each thread worked. */
  readonly busy: readonly number[];
  /** How late threads were for their own timers. */
  readonly lateMs: { readonly p99: number; readonly max: number };
}

export interface Clients {
  /** Starts them; resolves when the last has done all it wanted. */
  run(): Promise<Seen>;
  /** Ends all sessions; `run` then resolves within moments. */
  stop(): void;
}

const TICK_MS = 1000;

/** Whatever costs time is done before `run`. */
export async function prepareClients(scope: Scope, options: ClientsOptions): Promise<Clients> {
  const { load, archive, weights, routes, directory, threads, onTick } = options;
  const abort = new AbortController();
  setMaxListeners(0, abort.signal); // one for each real client
  const tally = new Tally();
  const real = await prepareRealApt(scope, {
    load: { ...load, seed: `${load.seed} apt`, clients: options.realApts + options.methodApts },
    methodsFrom: options.methods ? options.realApts : Infinity,
    archive,
    sampler: new Sampler(weights),
    routes,
    directory,
    tally,
    signal: abort.signal,
  });
  return {
    async run() {
      const { release, index, indexPath, packages } = archive;
      const crowd = startCrowd(
        { load, archive: { release, index, indexPath, packages }, weights, routes, threads },
        onTick,
      );
      abort.signal.addEventListener('abort', () => crowd.stop(), { once: true });
      const ticking = setInterval(() => onTick(tally.takeTick(), threads), TICK_MS);
      try {
        const [done] = await Promise.all([crowd.result, real()]);
        onTick(tally.takeTick(), threads);
        return together(tally, done);
      } finally {
        clearInterval(ticking);
      }
    },
    stop: () => abort.abort(),
  };
}

function together(tally: Tally, threads: readonly Done[]): Seen {
  for (const { counts, latencies, examples } of threads) {
    addCounts(tally.counts, counts);
    addLatencies(tally.latencies, latencies);
    tally.examples.push(...examples);
  }
  return {
    tally,
    busy: threads.map(({ busy }) => busy),
    lateMs: {
      p99: Math.max(0, ...threads.map(({ lateMs }) => lateMs.p99)),
      max: Math.max(0, ...threads.map(({ lateMs }) => lateMs.max)),
    },
  };
}
