/** `cached`: files that every contestant already has, over 16 connections, against nginx and apt-cacher-ng. */
import { join } from 'node:path';
import { startAptCacherNg } from '../support/apt-cacher-ng.ts';
import { createAptRoot } from '../support/apt-root.ts';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { indexIsLoaded } from './contestants.ts';
import { type Daemon, daemonIsBuilt, daemonMetric, residentMemory, startDaemon } from '../support/daemon.ts';
import { type Figure, type Target, compare } from './figures.ts';
import { httpDrain } from '../support/http-client.ts';
import { startNginx } from '../support/nginx.ts';
import { quiet } from '../support/quiet.ts';
import { type Scope, freeLowPort, withScope } from '../support/scope.ts';
import { type SignedArchive, createSignedArchive } from '../support/signed-archive.ts';
import { wrk } from './wrk.ts';

const ROUNDS = 3;
const SECONDS = 4;

interface Course {
  readonly name: string;
  readonly size: number;
  readonly unit: 'req/s' | 'MB/s';
  readonly targets: readonly { readonly peer: 'nginx' | 'apt-cacher-ng'; readonly target: Target }[];
}

const COURSES: readonly Course[] = [
  {
    name: '1 KB',
    size: 1024,
    unit: 'req/s',
    targets: [{ peer: 'nginx', target: { minValue: 12_000, minRatio: 0.35 } }],
  },
  { name: '64 KB', size: 65_536, unit: 'req/s', targets: [{ peer: 'apt-cacher-ng', target: { minRatio: 1 } }] },
  { name: '200 MB', size: 200_000_000, unit: 'MB/s', targets: [{ peer: 'nginx', target: { minRatio: 0.9 } }] },
];

export const cached: Benchmark = {
  name: 'cached',
  title: 'cached files, wrk over 16 connections',
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function measure(scope: Scope, { directory, say }: BenchContext): Promise<Figure[]> {
  const root = join(directory, 'cached/archive');
  const archive = await createSignedArchive(
    scope,
    join(root, 'debian'),
    COURSES.map(({ name, size }) => ({ name: `bench-${name.toLowerCase().replace(' ', '')}`, size })),
  );
  const [nginxPort] = await startNginx(scope, [{ root }]);
  if (nginxPort === undefined) throw new Error('nginx has no port');
  const mirror = `127.0.0.1:${nginxPort}/debian`;
  const bases: Record<string, string> = { nginx: `http://${mirror}` };
  const acngPort = await freeLowPort();
  await startAptCacherNg(scope, join(directory, 'cached/apt-cacher-ng'), acngPort);
  bases['apt-cacher-ng'] = `http://127.0.0.1:${acngPort}/${mirror}`;
  let daemon: Daemon | undefined;
  if (daemonIsBuilt()) {
    daemon = await daemonWithArchive(scope, directory, nginxPort, archive);
    bases['debtorrent'] = `${daemon.base}/${mirror}`;
  }
  for (const base of Object.values(bases)) {
    for (const path of archive.paths) await httpDrain(`${base}/${path}`);
  }
  const figures: Figure[] = [];
  for (const [i, course] of COURSES.entries()) {
    const raw: Record<string, number[]> = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, base] of Object.entries(bases)) {
        await quiet();
        const load = await wrk(scope, `${base}/${archive.paths[i] ?? ''}`, SECONDS);
        const value = course.unit === 'req/s' ? load.requestsPerSecond : load.megabytesPerSecond;
        (raw[name] ??= []).push(value);
        say(`  ${course.name} ${name}: ${value.toFixed(0)} ${course.unit}`);
      }
    }
    for (const peer of ['nginx', 'apt-cacher-ng'] as const) {
      const target = course.targets.find((one) => one.peer === peer)?.target;
      const of = { benchmark: 'cached', measure: course.name, unit: course.unit, ours: 'debtorrent', peer };
      figures.push(compare({ ...of, ...(target === undefined ? {} : { target }) }, raw));
    }
  }
  if (daemon !== undefined) figures.push(...(await aftermath(daemon)));
  return figures;
}

/** A daemon that has verified the archive's index, so that the files are served as signed content. */
async function daemonWithArchive(
  scope: Scope,
  directory: string,
  mirrorPort: number,
  archive: SignedArchive,
): Promise<Daemon> {
  const daemon = await startDaemon(scope, {
    cacheDir: join(directory, 'cached/debtorrent'),
    port: 0,
    mirrors: [mirrorPort],
    logFile: join(directory, 'cached-daemon.log'),
    keyrings: [archive.keyring],
  });
  const source = `${daemon.base}/127.0.0.1:${mirrorPort}/debian ${archive.suite} main`;
  const apt = await createAptRoot(scope, {
    directory: join(directory, 'cached/apt'),
    architecture: archive.architecture,
    sources: [`deb [signed-by=${archive.keyring}] ${source}`],
  });
  await apt.update();
  await indexIsLoaded(daemon, 1);
  return daemon;
}

async function aftermath(daemon: Daemon): Promise<Figure[]> {
  const memory = await residentMemory(daemon.pid);
  const delay = await daemonMetric(daemon, /^debtorrent_event_loop_delay_seconds/);
  const of = { benchmark: 'cached', ours: 'debtorrent' };
  return [
    compare({ ...of, measure: 'resident memory afterwards', unit: 'MB' }, { debtorrent: [memory.now] }),
    compare({ ...of, measure: 'resident memory at most', unit: 'MB' }, { debtorrent: [memory.peak] }),
    compare({ ...of, measure: 'longest event-loop delay', unit: 'ms' }, { debtorrent: [delay * 1000] }),
  ];
}
