/** One run: the same load on one target, from its start with an empty cache to the account of what happened. */
import { chmod, mkdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Scope, withScope } from '../support/scope.ts';
import type { LoadArchive } from './archive/load-archive.ts';
import { type CrowdResult, startCrowd } from './client/crowd.ts';
import type { Load } from './load/load.ts';
import { distribution, summary } from './measure/latency.ts';
import { limitOf } from './measure/limit.ts';
import { costOf, machineTime } from './measure/process-tree.ts';
import { Timeline } from './measure/timeline.ts';
import { startMirror } from './mirror.ts';
import type { RunResult } from './results.ts';
import type { RunningTarget, Target } from './targets/target.ts';
import { warmUp } from './warm-up.ts';

export interface RunOptions {
  readonly archive: LoadArchive;
  readonly weights: Float64Array;
  readonly load: Load;
  /** Everything is in the target's cache before the load begins. */
  readonly warm: boolean;
  readonly threads: number;
  /** The load is stopped after that, wherever it is. */
  readonly longestMs: number;
  readonly directory: string;
  /** Called a few times a second while the load runs. */
  readonly onProgress: (progress: Progress) => void;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
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
    const mirror = await startMirror(scope, options.archive, directory);
    const version = await target.version(scope);
    const logFile = join(directory, 'target.log');
    const { archive } = options;
    const running = await target.start(scope, { directory, mirror: mirror.address, archive, logFile });
    if (options.warm) {
      options.say(`${target.name}: warming up`);
      await warmUp(running.routes, archive, options.signal);
      await running.settled?.();
    }
    await mirror.traffic();
    const measured = await underLoad(target, running, options);
    const traffic = await mirror.traffic();
    return { ...measured, version, mirror: traffic };
  });
}

type Measured = Omit<RunResult, 'version' | 'mirror'>;

async function underLoad(target: Target, running: RunningTarget, options: RunOptions): Promise<Measured> {
  const { archive, load, weights, onProgress } = options;
  const pids = running.pids();
  const timeline = new Timeline();
  const before = { cost: costOf(pids), own: process.cpuUsage(), machine: machineTime() };
  const began = performance.now();
  const { release, index, indexPath, packages } = archive;
  const facts = { release, index, indexPath, packages };
  const crowd = startCrowd({ load, archive: facts, weights, routes: running.routes }, options.threads, (tick, thread) =>
    timeline.heard(performance.now() - began, tick, thread),
  );
  let cutShort = false;
  let over = false;
  const stop = (): void => {
    cutShort = true;
    crowd.stop();
  };
  const timer = setTimeout(stop, options.longestMs);
  options.signal.addEventListener('abort', stop, { once: true });
  const sampling = (async () => {
    while (!over) {
      const elapsedMs = performance.now() - began;
      if (pids.length > 0) timeline.sampled(elapsedMs, costOf(running.pids()));
      onProgress({ target: target.name, timeline, elapsedMs });
      await sleep(SAMPLE_MS);
    }
  })();
  try {
    const result = await crowd.result;
    const seconds = (performance.now() - began) / 1000;
    const own = process.cpuUsage(before.own);
    const machine = machineTime();
    const after = costOf(running.pids());
    over = true;
    await sampling;
    const cpuSeconds = after.cpuSeconds - before.cost.cpuSeconds;
    const loopDelay = await running.loopDelay?.();
    const harness = (own.user + own.system) / 1e6;
    const idle = (machine.idle - before.machine.idle) / (machine.total - before.machine.total || 1);
    const shares = {
      busiestClients: Math.max(...result.busy),
      idle,
      harness: harness / seconds,
      target: cpuSeconds / seconds,
    };
    return {
      target: target.name,
      about: target.about,
      seconds,
      cutShort,
      ...counted(result, seconds),
      series: timeline.seconds(),
      cost:
        pids.length === 0
          ? null
          : {
              peakResident: timeline.peak.resident,
              peakProportional: timeline.peak.proportional ?? null,
              residentAtEnd: after.resident,
              cpuSeconds,
              loopDelayMs: loopDelay === undefined ? null : loopDelay * 1000,
            },
      harness: { cpuSeconds: harness, busy: result.busy, lateMs: result.lateMs, idle },
      limit: limitOf(shares),
    };
  } finally {
    over = true;
    clearTimeout(timer);
    options.signal.removeEventListener('abort', stop);
  }
}

function counted(result: CrowdResult, seconds: number) {
  const { counts, latencies, examples } = result;
  const latency = {
    firstByte: summary(latencies.firstByte) ?? null,
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
