/** `method*`: the APT method against APT's own http method, over the same few hundred real packages. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LAUNCHER } from '../../support/apt-methods.ts';
import { startNginx } from '../../support/nginx.ts';
import { type Scope, withScope } from '../../support/scope.ts';
import type { BenchContext, Benchmark } from '../benchmark.ts';
import { type Contestant, type ContestantOptions, daemonContestant, plainApt } from '../contestants.ts';
import { type Figure, type Target, compare } from '../figures.ts';
import { methodsFolder, methodSeconds } from './folder.ts';

const START_ROUNDS = 21;
const ROUNDS = 5;
const SLOW_ROUNDS = 3;
const LIMIT_RATE = 12_500_000;

/** How long APT waits for a method to say what it can do, which it asks twice. */
export const methodStart: Benchmark = {
  name: 'method-start',
  title: 'start of a method, as APT sees it',
  async run({ say }) {
    const raw: Record<string, number[]> = { launcher: [], http: [], node: [] };
    for (let round = 0; round < START_ROUNDS; round++) {
      raw['launcher']?.push(await firstOutputMs(LAUNCHER, []));
      raw['http']?.push(await firstOutputMs('/usr/lib/apt/methods/http', []));
      raw['node']?.push(await firstOutputMs(process.execPath, ['-e', 'console.log(1)']));
    }
    const of = { benchmark: 'method-start', unit: 'ms', ours: 'launcher' };
    const figures = [
      compare({ ...of, measure: 'launcher', peer: 'http', target: { maxValue: 30 } }, raw),
      compare({ ...of, measure: 'launcher against Node itself', peer: 'node' }, raw),
    ];
    for (const { measure, ours, peer, peerValue } of figures) say(`  ${measure}: ${ours} ms, ${peer} ${peerValue} ms`);
    return figures;
  },
};

async function firstOutputMs(command: string, args: readonly string[]): Promise<number> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  const ms = performance.now() - started;
  child.kill('SIGKILL');
  await exited;
  return ms;
}

export const method: Benchmark = {
  name: 'method',
  title: 'apt-get download of real packages through the method, mirror on loopback',
  run: (context) =>
    compete(context, 'method', 0, async ({ plain, ours }, packages, note) => {
      for (let round = 0; round < ROUNDS; round++) {
        const turns = [
          async () => note('apt', await plain.apt.download(packages)),
          async () => {
            await ours.cool();
            await ours.apt.plan(packages);
            note('cold', await ours.apt.download(packages));
            note('warm', await ours.apt.download(packages));
          },
        ];
        for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
      }
      return (raw) => [
        figure('method', 'cold', 's', raw, { maxRatio: 1.05 }),
        figure('method', 'warm', 's', raw, { maxRatio: 0.95 }),
      ];
    }),
};

export const methodLimited: Benchmark = {
  name: 'method-limited',
  title: 'the same with the mirror limited to 12.5 MB/s a connection',
  run: (context) =>
    compete(context, 'method-limited', LIMIT_RATE, async ({ plain, ours }, packages, note) => {
      for (let round = 0; round < SLOW_ROUNDS; round++) {
        note('apt', await plain.apt.download(packages));
        await ours.cool();
        await ours.apt.plan(packages);
        note('cold', await ours.apt.download(packages));
      }
      return (raw) => [figure('method-limited', 'cold', 's', raw, { maxRatio: 0.45 })];
    }),
};

export const methodCpu: Benchmark = {
  name: 'method-cpu',
  title: 'processor time of the method alone, Node and its start included',
  async run(context) {
    const timesLog = join(context.directory, 'method-times.log');
    return compete(
      context,
      'method-cpu',
      0,
      async ({ plain, ours }, packages, note) => {
        const timed = async (contestant: Contestant): Promise<number> => {
          await rm(timesLog, { force: true });
          await contestant.apt.download(packages);
          return (await methodSeconds(timesLog)) * 1000;
        };
        for (let round = 0; round < SLOW_ROUNDS; round++) {
          note('apt', await timed(plain));
          await ours.cool();
          note('cold', await timed(ours));
          note('warm', await timed(ours));
        }
        return (raw) => [
          figure('method-cpu', 'cold', 's', raw, { maxRatio: 2 }),
          figure('method-cpu', 'warm', 's', raw, { maxRatio: 2 }),
        ];
      },
      timesLog,
    );
  },
};

type Packages = Awaited<ReturnType<BenchContext['mirror']>>['packages'];
type Raw = Record<string, number[]>;
type Note = (key: string, ms: number) => void;
interface Contest {
  readonly plain: Contestant;
  readonly ours: Contestant;
}

/** Both with their lists updated; `play` measures and says what to make of it. */
function compete(
  { scope: parent, mirror, directory, say }: BenchContext,
  name: string,
  limitRate: number,
  play: (contest: Contest, packages: Packages, note: Note) => Promise<(raw: Raw) => Figure[]>,
  timesLog?: string,
): Promise<Figure[]> {
  return withScope(parent, async (scope) => {
    const copy = await mirror();
    const [mirrorPort] = await startNginx(scope, [{ root: copy.root, limitRate }]);
    if (mirrorPort === undefined) throw new Error('nginx has no port');
    const below = join(directory, name);
    const options = { mirror: copy, mirrorPort, directory: below, logFile: join(directory, `${name}-daemon.log`) };
    const contest = await contestants(scope, options, await methodsFolder(join(below, 'methods'), timesLog));
    const raw: Raw = {};
    const figures = await play(contest, copy.packages, (key, ms) => {
      (raw[key] ??= []).push(ms / 1000);
      say(`  ${key}: ${(ms / 1000).toFixed(2)} s`);
    });
    return figures(raw);
  });
}

async function contestants(scope: Scope, options: ContestantOptions, methods: string): Promise<Contest> {
  const plain = await plainApt(scope, options, [methods]);
  const ours = await daemonContestant(scope, options, 'method', undefined, [methods]);
  for (const { apt, cool } of [plain, ours]) {
    await cool();
    await apt.update();
    await apt.plan(options.mirror.packages);
  }
  return { plain, ours };
}

function figure(benchmark: string, state: string, unit: string, raw: Raw, target: Target): Figure {
  return compare({ benchmark, measure: `method ${state}`, unit, ours: state, peer: 'apt', target }, raw);
}
