/** `catalogue`: the event loop while the release's main index is loaded, and the start with it already known. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { indexIsLoaded } from './contestants.ts';
import { type Daemon, type DaemonOptions, daemonMetric, startDaemon } from '../support/daemon.ts';
import { type Figure, type Target, compare } from './figures.ts';
import { httpDrain } from '../support/http-client.ts';
import type { ProbeReport } from './loop-probe.ts';
import { startNginx } from '../support/nginx.ts';
import { quiet } from '../support/quiet.ts';
import { type Scope, stopProcess, withScope } from '../support/scope.ts';

const ROUNDS = 3;

export const catalogue: Benchmark = {
  name: 'catalogue',
  title: 'the main index: event loop while it is loaded, start when it is known',
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function measure(scope: Scope, { directory, mirror, say }: BenchContext): Promise<Figure[]> {
  const copy = await mirror();
  const [main] = copy.suites;
  const [mirrorPort] = await startNginx(scope, [{ root: copy.root }]);
  if (main === undefined || mirrorPort === undefined) throw new Error('no mirror');
  const index = await readFile(join(copy.root, main.archive, main.index));
  const byHash = main.index.replace(/[^/]+$/, `by-hash/SHA256/${createHash('sha256').update(index).digest('hex')}`);
  const files = [`dists/${main.suite}/InRelease`, byHash];
  const options: DaemonOptions = {
    cacheDir: join(directory, 'catalogue-cache'),
    port: 0,
    mirrors: [mirrorPort],
    logFile: join(directory, 'catalogue-daemon.log'),
  };
  const raw: Record<'load' | 'metric' | 'probe' | 'ready' | 'known', number[]> = {
    load: [],
    metric: [],
    probe: [],
    ready: [],
    known: [],
  };
  for (let round = 0; round < ROUNDS; round++) {
    await rm(options.cacheDir, { recursive: true, force: true });
    await withScope(scope, async (life) => {
      const daemon = await startDaemon(life, options);
      // Starting up has set some things going.
      await sleep(500);
      await quiet();
      const probe = startProbe(life, `${daemon.base}/healthz`);
      const started = performance.now();
      for (const file of files) await httpDrain(`${daemon.base}/127.0.0.1:${mirrorPort}/${main.archive}/${file}`);
      await indexIsLoaded(daemon, 1);
      raw.load.push(performance.now() - started);
      raw.metric.push(await longestDelay(daemon));
      raw.probe.push((await probe()).maxMs);
      await stopProcess(daemon.child);
    });
    await quiet();
    await withScope(scope, async (life) => {
      const daemon = await startDaemon(life, options);
      await indexIsLoaded(daemon, 1);
      raw.known.push(performance.now() - daemon.spawnedAt);
      raw.ready.push(daemon.readyMs);
      await stopProcess(daemon.child);
    });
    say(
      `  ${Object.entries(raw)
        .map(([name, values]) => `${name} ${values.at(-1)?.toFixed(1)} ms`)
        .join(', ')}`,
    );
  }
  const figure = (measure: string, values: number[], target?: Target): Figure =>
    compare(
      { benchmark: 'catalogue', measure, unit: 'ms', ours: 'debtorrent', ...(target === undefined ? {} : { target }) },
      { debtorrent: values },
    );
  return [
    figure('from request of the Release to index loaded', raw.load),
    figure('longest event-loop delay since the start, /metrics', raw.metric, { maxValue: 20 }),
    figure('slowest /healthz meanwhile', raw.probe),
    figure('start with a warm catalogue: ready', raw.ready, { maxValue: 1000 }),
    figure('start with a warm catalogue: torrents visible', raw.known, { maxValue: 1000 }),
  ];
}

/** Longest delay of the daemon's event loop since it was ready, in milliseconds. */
async function longestDelay(daemon: Daemon): Promise<number> {
  return (await daemonMetric(daemon, /^debtorrent_event_loop_delay_seconds\{fraction="1"/)) * 1000;
}

/** Starts the probe; the function returned ends it and gives its report. */
function startProbe(scope: Scope, url: string): () => Promise<ProbeReport> {
  const program = fileURLToPath(new URL('loop-probe.js', import.meta.url));
  const child = spawn(process.execPath, [program, url], { stdio: ['pipe', 'pipe', 'inherit'] });
  scope.defer(() => stopProcess(child));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return async () => {
    const closed = once(child, 'close');
    child.stdin.end();
    await closed;
    return JSON.parse(output) as ProbeReport;
  };
}
