/**
 * What a message between actors costs, in one thread and across two, against the least that the platform can do: an
 * awaited promise, and a round trip of one number over a bare MessagePort.
 */
import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Logger } from '../../src/core/logging.ts';
import { spawn } from '../../src/kernel/actor.ts';
import type { ActorRef } from '../../src/kernel/protocol.ts';
import { startThread } from '../../src/kernel/thread.ts';
import type { Benchmark } from './benchmark.ts';
import { compare, type Figure } from './figures.ts';
import type { Adder } from './kernel.worker.ts';

const ROUNDS = 5;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export const kernel: Benchmark = {
  name: 'kernel',
  title: 'one ask and its reply between actors',
  run: measureKernel,
};

async function measureKernel(): Promise<Figure[]> {
  const local = spawn<Adder>({ name: 'adder', log: silent, behaviour: { add: (a, b) => a + b } });
  const thread = await startThread({
    name: 'bench-thread',
    url: new URL('./kernel.worker.js', import.meta.url),
    log: silent,
  });
  const remote = thread.ref<Adder>('adder');
  const bare = await bareWorker();
  const raw: Record<string, number[]> = { promise: [], inThread: [], barePort: [], worker: [], workerMany: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    raw['promise']?.push(await oneByOne(200_000, async (n) => n + 1));
    raw['inThread']?.push(await oneByOne(200_000, (n) => local.ref.ask('add', n, 1)));
    raw['barePort']?.push(await oneByOne(10_000, bare.roundTrip));
    raw['worker']?.push(await oneByOne(10_000, (n) => remote.ask('add', n, 1)));
    raw['workerMany']?.push(await hundredAtOnce(20_000, remote));
  }
  await Promise.all([local.stop(), thread.stop(), bare.end()]);
  const benchmark = 'kernel';
  const unit = 'µs';
  const of = (ours: string, peer: string): Record<string, number[]> => ({
    [ours]: raw[ours] ?? [],
    [peer]: raw[peer] ?? [],
  });
  return [
    compare(
      { benchmark, unit, measure: 'ask in one thread', ours: 'inThread', peer: 'promise', target: { maxValue: 5 } },
      of('inThread', 'promise'),
    ),
    compare(
      {
        benchmark,
        unit,
        measure: 'ask to a worker',
        ours: 'worker',
        peer: 'barePort',
        target: { maxValue: 60, maxRatio: 2 },
      },
      of('worker', 'barePort'),
    ),
    compare(
      { benchmark, unit, measure: 'ask to a worker, 100 at once', ours: 'workerMany', peer: 'barePort' },
      of('workerMany', 'barePort'),
    ),
  ];
}

/** Microseconds for each. */
async function oneByOne(count: number, call: (n: number) => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  for (let n = 0; n < count; n += 1) await call(n);
  return ((performance.now() - begin) * 1000) / count;
}

async function hundredAtOnce(count: number, ref: ActorRef<Adder>): Promise<number> {
  const begin = performance.now();
  for (let n = 0; n < count; n += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => ref.ask('add', n, i)));
  }
  return ((performance.now() - begin) * 1000) / count;
}

interface BareWorker {
  roundTrip(n: number): Promise<unknown>;
  end(): Promise<void>;
}

async function bareWorker(): Promise<BareWorker> {
  const { port1, port2 } = new MessageChannel();
  const echo =
    'const { workerData: port } = require("node:worker_threads"); port.on("message", (n) => port.postMessage(n));';
  const worker = new Worker(echo, { eval: true, workerData: port2, transferList: [port2] });
  await once(worker, 'online');
  let answer: (n: unknown) => void = () => undefined;
  port1.on('message', (n) => answer(n));
  return {
    roundTrip(n) {
      return new Promise((resolve) => {
        answer = resolve;
        port1.postMessage(n);
      });
    },
    async end() {
      port1.close();
      await worker.terminate();
    },
  };
}
