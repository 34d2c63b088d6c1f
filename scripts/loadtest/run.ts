/** One run: the same load on one target, from its start with an empty cache to the account of what happened. */
import { chmod, mkdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Scope, withScope } from '../support/scope.ts';
import type { LoadArchive } from './archive/load-archive.ts';
import { disturb } from './faults/disturb.ts';
import type { Faults } from './faults/faults.ts';
import { type Seen, prepareClients } from './clients.ts';
import type { Load } from './load/load.ts';
import { distribution, summary } from './measure/latency.ts';
import { limitOf } from './measure/limit.ts';
import { ProcessorTime, costOf, machineTime, ownCpuSeconds } from './measure/process-tree.ts';
import { Timeline } from './measure/timeline.ts';
import { startMirror } from './mirror.ts';
import type { RunResult } from './results.ts';
import type { RunningTarget, Target } from './targets/target.ts';
import { warmUp } from './warm-up.ts';

export interface RunOptions {
  readonly archive: LoadArchive;
  readonly weights: Float64Array;
  /** Of the simulated clients; real ones do the same. */
  readonly load: Load;
  readonly realApts: number;
  /** Real ones that use our APT method, where the target is ours. */
  readonly methodApts: number;
  /** Everything is in the target's cache before the load begins. */
  readonly warm: boolean;
  readonly faults: Faults;
  readonly threads: number;
  /** The load is stopped after that, wherever it is. */
  readonly longestMs: number;
  readonly directory: string;
  /** Called a few times a second while the load runs. */
  readonly onProgress: (progress: Progress) => void;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Keeps what the load works with until there is an account of it, also when the signal comes. */
  readonly toItsEnd: <T>(work: () => Promise<T>) => Promise<T>;
}

export interface Progress {
  readonly target: string;
  readonly timeline: Timeline;
  readonly elapsedMs: number;
}

const SAMPLE_MS = 250;

export function runOn(parent: Scope, target: Target, options: RunOptions): Promise<RunResult> {
  return withScope(parent, async (scope) => {
    const directory = join(options.directory, target.name.replaceAll(/\W+/g, '-'));
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o755);
    const mirror = await startMirror(scope, {
      archive: options.archive,
      directory,
      faults: options.faults,
      seed: options.load.seed,
    });
    const version = await target.version(scope);
    const logFile = join(directory, 'target.log');
    const { archive } = options;
    const running = await target.start(scope, { directory, mirror: mirror.address, archive, logFile });
    if (running.peerRoutes !== undefined && running.peerRoutes.length > 0)
      await warmUp(running.peerRoutes, archive, options.signal);
    if (options.warm) {
      options.say(`${target.name}: warming up`);
      await warmUp(running.routes, archive, options.signal);
      await running.settled?.();
    }
    await mirror.traffic();
    return options.toItsEnd(async () => {
      const measured = await underLoad(scope, target, running, { ...options, home: directory });
      const traffic = await mirror.traffic();
      scope.assertOpen(); // else the mirror's log may be gone, and the figures are of nothing
      return { ...measured, version, mirror: traffic };
    });
  });
}

type Measured = Omit<RunResult, 'version' | 'mirror'>;

async function underLoad(
  scope: Scope,
  target: Target,
  running: RunningTarget,
  options: RunOptions & { readonly home: string },
): Promise<Measured> {
  const timeline = new Timeline();
  let began = 0;
  const { archive, load, realApts, methodApts, weights, threads, home } = options;
  const clients = await prepareClients(scope, {
    ...{
      load,
      realApts,
      methodApts,
      methods: running.speaksMethod === true,
      archive,
      weights,
      routes: running.routes,
      threads,
      directory: home,
    },
    onTick: (tick, thread) => timeline.heard(performance.now() - began, tick, thread),
  });
  let cutShort = false;
  const stop = (): void => {
    cutShort = true;
    clients.stop();
  };
  const processor = new ProcessorTime();
  const before = { cpu: processor.seen(costOf(running.pids())), own: ownCpuSeconds(), machine: machineTime() };
  began = performance.now();
  const timer = setTimeout(stop, options.longestMs);
  options.signal.addEventListener('abort', stop, { once: true });
  const sample = (): void => {
    const elapsedMs = performance.now() - began;
    const pids = running.pids();
    if (pids.length > 0) {
      const cost = costOf(pids);
      timeline.sampled(elapsedMs, cost, processor.seen(cost));
    }
    options.onProgress({ target: target.name, timeline, elapsedMs });
  };
  const sampling = setInterval(sample, SAMPLE_MS);
  const calm = disturb(running, options.faults, options.say);
  try {
    const seen = await clients.run();
    const seconds = (performance.now() - began) / 1000;
    const [own, machine, after] = [ownCpuSeconds() - before.own, machineTime(), costOf(running.pids())];
    clearInterval(sampling);
    await calm();
    const cpuSeconds = processor.seen(after) - before.cpu;
    const loopDelay = await running.loopDelay?.();
    const { proportional, resident } = timeline.peak;
    const cost = {
      peakResident: Math.max(resident, after.resident),
      peakProportional: proportional ?? null,
      residentAtEnd: after.resident,
      cpuSeconds,
      loopDelayMs: loopDelay === undefined ? null : loopDelay * 1000,
    };
    const idle = (machine.idle - before.machine.idle) / (machine.total - before.machine.total || 1);
    // a thread that waits for a processor seems to work; it cannot have worked longer than the process has
    const busiestClients = Math.min(Math.max(0, ...seen.busy), own / seconds);
    return {
      target: target.name,
      about: target.about,
      seconds,
      cutShort,
      ...counted(seen, seconds),
      series: timeline.seconds(),
      cost: running.pids().length === 0 ? null : cost,
      harness: { cpuSeconds: own, busy: seen.busy, lateMs: seen.lateMs, idle },
      limit: limitOf({ busiestClients, idle, harness: own / seconds, target: cpuSeconds / seconds }),
    };
  } finally {
    void calm();
    clearInterval(sampling);
    clearTimeout(timer);
    options.signal.removeEventListener('abort', stop);
  }
}

function counted({ tally }: Seen, seconds: number) {
  const { counts, latencies, examples } = tally;
  const latency = {
    firstByte: summary(latencies.firstByte) ?? null,
    listsFirstByte: summary(latencies.listsFirstByte) ?? null,
    complete: summary(latencies.complete) ?? null,
    sinceSent: summary(latencies.sinceSent) ?? null,
    session: summary(latencies.session) ?? null,
  };
  return {
    files: counts.fetched,
    notModified: counts.notModified,
    receivedBytes: counts.received,
    verifiedBytes: counts.verified,
    bytesPerSecond: counts.verified / seconds,
    filesPerSecond: (counts.fetched + counts.notModified) / seconds,
    sessions: { done: counts.sessionsDone, left: counts.sessionsLeft, failed: counts.sessionsFailed },
    errors: counts.errors,
    retries: counts.retries,
    examples,
    latency,
    distribution: { firstByte: distribution(latencies.firstByte), complete: distribution(latencies.complete) },
  };
}

/** Half of the processors, for the other half is the target's. */
export function defaultThreads(): number {
  return Math.max(1, Math.min(4, cpus().length >> 1));
}
