/** `memory`: resident memory with the indexes of a release, its updates and its security archive, and 16 downloads. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAptRoot } from '../support/apt-root.ts';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { indexIsLoaded } from './contestants.ts';
import { daemonStatus, residentMemory, startDaemon } from '../support/daemon.ts';
import { type Figure, type Target, compare } from './figures.ts';
import { httpDrain } from '../support/http-client.ts';
import { startNginx } from '../support/nginx.ts';
import { type Scope, withScope } from '../support/scope.ts';

const DOWNLOADS = 16;
/** Bytes a second and connection: slow enough for all downloads to run side by side for seconds. */
const LIMIT_RATE = 1_000_000;

export const memory: Benchmark = {
  name: 'memory',
  title: `resident memory with three indexes and ${DOWNLOADS} downloads`,
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function measure(scope: Scope, { directory, mirror, say }: BenchContext): Promise<Figure[]> {
  const copy = await mirror();
  const [mirrorPort] = await startNginx(scope, [{ root: copy.root, limitRate: LIMIT_RATE }]);
  if (mirrorPort === undefined) throw new Error('nginx has no port');
  const daemon = await startDaemon(scope, {
    cacheDir: join(directory, 'memory-cache'),
    port: 0,
    mirrors: [mirrorPort],
    logFile: join(directory, 'memory-daemon.log'),
  });
  const apt = await createAptRoot(scope, {
    directory: join(directory, 'memory-apt'),
    architecture: copy.architecture,
    sources: copy.suites.map(
      ({ archive, suite }) => `deb ${daemon.base}/127.0.0.1:${mirrorPort}/${archive} ${suite} main`,
    ),
  });
  await apt.update();
  await indexIsLoaded(daemon, copy.suites.length);
  await sleep(1000);
  const idle = await residentMemory(daemon.pid);
  const largest = [...copy.packages].sort((a, b) => b.size - a.size).slice(0, DOWNLOADS);
  let running = true;
  const [main] = copy.suites;
  const downloads = Promise.all(
    largest.map(({ filename }) =>
      httpDrain(`${daemon.base}/127.0.0.1:${mirrorPort}/${main?.archive ?? ''}/${encodeURI(filename)}`),
    ),
  ).finally(() => (running = false));
  downloads.catch(() => undefined); // reported where it is awaited
  let [highest, side] = [0, 0];
  while (running) {
    highest = Math.max(highest, (await residentMemory(daemon.pid)).now);
    side = Math.max(side, (await daemonStatus(daemon)).transfers.length);
    await sleep(100);
  }
  const received = (await downloads).reduce((sum, bytes) => sum + bytes, 0);
  const { peak } = await residentMemory(daemon.pid);
  say(`  ${side} transfers side by side, ${Math.round(received / 1e6)} MB`);
  const figure = (measure: string, value: number, target?: Target): Figure =>
    compare(
      { benchmark: 'memory', measure, unit: 'MB', ours: 'debtorrent', ...(target === undefined ? {} : { target }) },
      { debtorrent: [value] },
    );
  return [
    figure('indexes loaded', idle.now),
    figure(`highest of the process tree during ${side} downloads`, highest, { maxValue: 250 }),
    figure('highest of the process since its start', peak),
  ];
}
