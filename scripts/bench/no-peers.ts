/** `no-peers`: what it costs to look for peers where there are none, or only dead ones, against peers turned off. */
import { once } from 'node:events';
import { type Socket, createServer } from 'node:net';
import { join } from 'node:path';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { type ContestantOptions, daemonContestant, rotated } from './contestants.ts';
import { type Figure, compare } from './figures.ts';
import { startNginx } from '../support/nginx.ts';
import { type Scope, freePort, withScope } from '../support/scope.ts';

const ROUNDS = 8;
/** A warm run takes little and differs much from one to the next: several after each cold one. */
const WARM_RUNS = 4;

export const noPeers: Benchmark = {
  name: 'no-peers',
  title: 'apt-get download of real packages with nobody there, or only dead peers',
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function measure(scope: Scope, { directory, mirror, say }: BenchContext): Promise<Figure[]> {
  const copy = await mirror();
  const [mirrorPort = 0] = await startNginx(scope, [{ root: copy.root }]);
  const options: ContestantOptions = {
    mirror: copy,
    mirrorPort,
    directory: join(directory, 'no-peers'),
    logFile: join(directory, 'no-peers-daemon.log'),
  };
  const closed = `127.0.0.1:${await freePort()}`;
  const dead = [closed, await swallowing(scope)];
  // One daemon at a time runs, so that none of them finds another.
  const contestants = [
    await daemonContestant(scope, options, 'off'),
    await daemonContestant(scope, options, 'nobody', { lan: true, fixed: [] }),
    await daemonContestant(scope, options, 'dead', { lan: false, fixed: dead }),
  ];
  const raw: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const contestant of rotated(contestants, round)) {
      const { name, apt } = contestant;
      await contestant.cool();
      await apt.plan(copy.packages);
      for (const state of ['cold', ...Array<string>(WARM_RUNS).fill('warm')]) {
        const seconds = (await apt.download(copy.packages)) / 1000;
        (raw[`${name} ${state}`] ??= []).push(seconds);
        say(`  ${name} ${state}: ${seconds.toFixed(2)} s`);
      }
      await contestant.rest();
    }
  }
  return ['nobody', 'dead'].flatMap((name) =>
    ['cold', 'warm'].map((state) =>
      compare(
        {
          benchmark: 'no-peers',
          measure: `${name === 'dead' ? 'dead peers only' : 'nobody there'}, ${state}`,
          unit: 's',
          ours: `${name} ${state}`,
          peer: `off ${state}`,
          target: { maxRatio: 1.03 },
        },
        raw,
      ),
    ),
  );
}

/** HOST:PORT of a server that takes connections and never says a word. */
async function swallowing(scope: Scope): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.resume();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `127.0.0.1:${address.port}`;
}
