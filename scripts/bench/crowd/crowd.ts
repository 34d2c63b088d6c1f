/**
 * `crowd`: machines that update in turn and in the same minute, and what that costs the mirror. Eight network
 * namespaces with 1 Gbit/s among themselves, a mirror with 100 Mbit/s, real apt-get on each machine through a daemon
 * of its own. BENCH_CROWD_PEERS=fixed names the peers to each other instead of letting them find each other;
 * BENCH_CROWD=turn,together,killed chooses scenarios.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createAptRoot, settle } from '../../support/apt-root.ts';
import type { BenchContext, Benchmark } from '../benchmark.ts';
import type { Figure } from '../figures.ts';
import { startNginx } from '../../support/nginx.ts';
import { type Scope, run, stopProcess, withScope } from '../../support/scope.ts';
import { SentByMirror } from '../../support/sent-by-mirror.ts';
import { startMachine } from './machine.ts';
import { createNetwork } from './network.ts';
import { SCENARIOS, type ScenarioName, atLeast, scenarioFigures } from './outcome.ts';
import { type Crowd, runScenario } from './scenarios.ts';

const MACHINES = 8;
const UPSTREAM = '100mbit';
/** Each machine asks for at least that much. */
const COPY_BYTES = 100e6;

export const crowd: Benchmark = {
  name: 'crowd',
  title: `${MACHINES} machines, a mirror with 100 Mbit/s: in turn, all at once, one killed`,
  unable,
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function unable(scope: Scope): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces';
  const works = run(scope, 'ip', ['netns', 'list']).then(() => run(scope, 'tc', ['-V']));
  return works.then(
    () => undefined,
    () => 'it needs ip and tc (iproute2)',
  );
}

async function measure(scope: Scope, context: BenchContext): Promise<Figure[]> {
  const { say } = context;
  const copy = await context.mirror();
  const directory = join(context.directory, 'crowd');
  await mkdir(directory);
  const packages = atLeast(copy.packages, COPY_BYTES);
  const bytes = packages.reduce((sum, { size }) => sum + size, 0);
  say(`  a copy is ${packages.length} packages, ${(bytes / 1e6).toFixed(1)} MB`);
  const network = await createNetwork(scope, MACHINES);
  const accessLog = join(directory, 'access.log');
  const site = { root: copy.root, address: { host: network.mirror.address, port: 80 }, accessLog };
  await startNginx(scope, [site], network.mirror.through);
  const meeting = process.env['BENCH_CROWD_PEERS'] === 'fixed' ? 'fixed' : 'lan';
  const [host] = network.machines;
  const [main] = copy.suites;
  if (host === undefined || main === undefined) throw new Error('no machine or no suite');

  const updated = join(directory, 'updated');
  await withScope(scope, async (life) => {
    const options = {
      network,
      host,
      copy,
      directory: updated,
      logFile: join(directory, 'updated.log'),
      meeting,
    } as const;
    const { daemon } = await startMachine(life, options);
    await stopProcess(daemon.child);
  });
  const apt = await createAptRoot(scope, {
    directory: join(directory, 'alone'),
    architecture: copy.architecture,
    sources: [`deb http://${network.mirror.address}/${main.archive} ${main.suite} main`],
    through: host.through,
  });
  await apt.update();
  await apt.plan(packages);
  await network.limitMirror(UPSTREAM);
  await settle(scope, directory, 2 * bytes);
  const alone = (await apt.download(packages, 'settled')) / 1000;
  say(`  plain apt alone: ${alone.toFixed(2)} s, ${((bytes * 8) / alone / 1e6).toFixed(1)} Mbit/s`);

  const sent = new SentByMirror(accessLog);
  await sent.since();
  const setting: Crowd = { network, copy, packages, directory, updated, sent, meeting, alone, say };
  const chosen = process.env['BENCH_CROWD']?.split(',') ?? Object.keys(SCENARIOS);
  const figures: Figure[] = [];
  for (const name of Object.keys(SCENARIOS) as ScenarioName[]) {
    if (!chosen.includes(name)) continue;
    say(`  ${SCENARIOS[name].title}`);
    const outcome = await runScenario(scope, setting, name);
    figures.push(...scenarioFigures(name, outcome, { copyBytes: bytes, alone: [alone] }));
  }
  return figures;
}
