/**
 * `floor`: what the same download costs through bare proxies made of the parts that are given. What a cold run takes
 * beyond them is ours; what they take beyond plain apt is the price of those parts on this machine.
 */
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AptRoot } from '../../support/apt-root.ts';
import { startNginx } from '../../support/nginx.ts';
import { type Scope, startProcess, withScope } from '../../support/scope.ts';
import type { BenchContext, Benchmark } from '../benchmark.ts';
import { type ContestantOptions, aptRoot, daemonContestant, plainApt, rotated } from '../contestants.ts';
import { type Figure, compare } from '../figures.ts';
import { processorSeconds } from '../../support/daemon.ts';

const ROUNDS = 5;

export const floor: Benchmark = {
  name: 'floor',
  title: 'the same through bare proxies made of the given parts',
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

interface Runner {
  readonly apt: AptRoot;
  /** Of what it asks, if that is no mirror. */
  readonly pid?: number | undefined;
}

async function measure(scope: Scope, { directory, mirror, say }: BenchContext): Promise<Figure[]> {
  const copy = await mirror();
  const [mirrorPort] = await startNginx(scope, [{ root: copy.root }]);
  if (mirrorPort === undefined) throw new Error('nginx has no port');
  const own = join(directory, 'floor');
  const options: ContestantOptions = {
    mirror: copy,
    mirrorPort,
    directory: own,
    logFile: join(directory, 'floor.log'),
  };
  const apt = await plainApt(scope, options);
  const daemon = await daemonContestant(scope, options, 'debtorrent');
  const { port: seedPort } = await startBare(scope, 'bare-seed', [copy.root]);
  await apt.apt.update();

  /** A bare proxy of its own, and an APT that goes through it. */
  async function bare(life: Scope, name: string, keep: boolean, fromPeer: boolean): Promise<Runner> {
    const keepIn = join(own, `${name}-kept`);
    await mkdir(keepIn, { recursive: true });
    const peer = fromPeer ? [`${seedPort}`, copy.root] : [];
    const { port, pid } = await startBare(life, 'bare-proxy', [`${mirrorPort}`, keep ? keepIn : '-', ...peer]);
    const root = await aptRoot(life, options, name, `http://127.0.0.1:${port}/`);
    await root.update();
    return { apt: root, pid };
  }

  const raw: Record<string, number[]> = {};
  async function take(key: string, { apt: root, pid }: Runner): Promise<void> {
    await root.plan(copy.packages);
    const before = pid === undefined ? 0 : await processorSeconds(pid);
    const seconds = (await root.download(copy.packages)) / 1000;
    (raw[key] ??= []).push(seconds);
    const used = pid === undefined ? '' : `, processor ${((await processorSeconds(pid)) - before).toFixed(2)} s`;
    say(`  ${key}: ${seconds.toFixed(2)} s${used}`);
  }
  const throughBare = (key: string, round: number, keep: boolean, fromPeer: boolean) => () =>
    withScope(scope, async (life) =>
      take(key, await bare(life, `${key.replaceAll(/\W+/g, '-')}-${round}`, keep, fromPeer)),
    );

  for (let round = 0; round < ROUNDS; round++) {
    const turns = [
      () => take('apt', apt),
      throughBare('undici', round, false, false),
      throughBare('undici, kept', round, true, false),
      throughBare('wire', round, false, true),
      throughBare('wire, kept', round, true, true),
      async () => {
        const { pid } = await daemon.cool();
        await take('debtorrent cold', { apt: daemon.apt, pid });
        await take('debtorrent warm', { apt: daemon.apt, pid });
        await daemon.rest();
      },
    ];
    for (const turn of rotated(turns, round)) await turn();
  }
  const of = (ours: string, peer: string): Figure =>
    compare({ benchmark: 'floor', measure: ours, unit: 's', ours, peer }, raw);
  return [
    of('undici', 'apt'),
    of('undici, kept', 'apt'),
    of('debtorrent cold', 'apt'),
    of('debtorrent cold', 'undici, kept'),
    of('wire', 'debtorrent warm'),
    of('wire, kept', 'debtorrent warm'),
  ];
}

/** Starts one of the programs beside this file, which prints its port. */
async function startBare(scope: Scope, name: string, args: readonly string[]): Promise<{ port: number; pid?: number }> {
  const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const env = { ...process.env, MALLOC_ARENA_MAX: '2' };
  const child = startProcess(scope, process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  if (child.stdout === null) throw new Error('no output');
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} exited with ${code}`))),
  ])) as [Buffer];
  return { port: Number(line.toString()), ...(child.pid !== undefined && { pid: child.pid }) };
}
