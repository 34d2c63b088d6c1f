/** `peer-packages`: a few hundred real packages with real apt-get, all from one peer, against a warm cache. */
import { join } from 'node:path';
import { sentBytes } from '../support/access-log.ts';
import { createAptRoot } from '../support/apt-root.ts';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { indexIsLoaded } from './contestants.ts';
import { type Daemon, type PeerOptions, daemonStatus, processorSeconds, startDaemon } from '../support/daemon.ts';
import { type Figure, compare } from './figures.ts';
import { linked } from '../support/linked.ts';
import { startNginx } from '../support/nginx.ts';
import { type Scope, freePort, withScope } from '../support/scope.ts';
import { SentByMirror } from '../support/sent-by-mirror.ts';

const ROUNDS = 5;

export const peerPackages: Benchmark = {
  name: 'peer-packages',
  title: 'apt-get download of real packages from one peer, mirror idle',
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function measure(scope: Scope, { directory, mirror, say }: BenchContext): Promise<Figure[]> {
  const copy = await mirror();
  const [main] = copy.suites;
  if (main === undefined) throw new Error('the local mirror has no suite');
  const accessLog = join(directory, 'peer-packages-access.log');
  const [mirrorPort = 0] = await startNginx(scope, [{ root: copy.root, accessLog }]);
  const sent = new SentByMirror(accessLog);

  /** A daemon with an empty cache that knows the index, and an APT that goes through it. */
  async function machine(life: Scope, name: string, port: number, peers: PeerOptions) {
    const daemon = await startDaemon(life, {
      cacheDir: join(directory, `peer-packages/${name}-cache`),
      port,
      mirrors: [mirrorPort],
      logFile: join(directory, `peer-packages-${name}.log`),
      peers,
    });
    const apt = await createAptRoot(life, {
      directory: join(directory, 'peer-packages', name),
      architecture: copy.architecture,
      sources: [`deb ${daemon.base}/127.0.0.1:${mirrorPort}/${main?.archive ?? ''} ${main?.suite ?? ''} main`],
    });
    await apt.update();
    await indexIsLoaded(daemon, 1);
    await apt.plan(copy.packages);
    return { daemon, apt };
  }

  const seed = await machine(scope, 'seed', 0, { lan: false, fixed: [] });
  await seed.apt.download(copy.packages);
  const raw: Record<string, number[]> = {};
  const note = (key: string, value: number): void => void (raw[key] ??= []).push(value);
  const port = await freePort();
  for (let round = 0; round < ROUNDS; round++) {
    await withScope(scope, async (life) => {
      const fixed = [seed.daemon.peer ?? '127.0.0.1:9'];
      const { daemon, apt } = await machine(life, `leech-${round}`, port, { lan: false, fixed });
      if (!(await linked([daemon], 1))) say('  the two daemons did not connect');
      await sent.since();
      const used = await processors([daemon, seed.daemon]);
      const ms = await apt.download(copy.packages);
      const cpu = (await processors([daemon, seed.daemon])).map((s, i) => (s - (used[i] ?? 0)).toFixed(1));
      const mirrorBytes = sentBytes(await sent.since()).packages;
      const { totals } = await daemonStatus(daemon);
      note('from a peer', ms / 1000);
      note('mirror', mirrorBytes / 1e6);
      const again = await apt.download(copy.packages);
      note('warm cache', again / 1000);
      say(
        `  from a peer ${(ms / 1000).toFixed(2)} s, warm ${(again / 1000).toFixed(2)} s; mirror ${(mirrorBytes / 1e6).toFixed(1)} MB, ` +
          `peers ${((totals['from_peers_bytes'] ?? 0) / 1e6).toFixed(1)} MB, processors ${cpu.join(' + ')} s`,
      );
    });
  }
  const of = { benchmark: 'peer-packages' };
  return [
    compare(
      {
        ...of,
        measure: 'cold, from a peer',
        unit: 's',
        ours: 'from a peer',
        peer: 'warm cache',
        target: { maxRatio: 1.25 },
      },
      raw,
    ),
    compare(
      { ...of, measure: 'bytes of packages from the mirror', unit: 'MB', ours: 'mirror', target: { maxValue: 0 } },
      raw,
    ),
  ];
}

function processors(daemons: readonly Daemon[]): Promise<number[]> {
  return Promise.all(daemons.map(({ pid }) => processorSeconds(pid)));
}
