/** A thread full of simulated clients. Tells every second what happened, and at the end everything. */
import { setMaxListeners } from 'node:events';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { Sampler } from '../load/popularity.ts';
import { measureLateness } from '../measure/lateness.ts';
import { Tally } from '../measure/tally.ts';
import { simulateUser } from './apt-user.ts';
import { ReadBuffer } from './connection.ts';
import type { CrowdData, CrowdMessage } from './crowd.ts';

const data = workerData as CrowdData;
const port = parentPort;

async function main(): Promise<void> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // one for each client
  port?.on('message', () => stop.abort());
  const tell = (message: CrowdMessage): void => port?.postMessage(message);
  const tally = new Tally();
  const lateness = measureLateness();
  const atStart = performance.eventLoopUtilization();
  const ticking = setInterval(() => tell({ kind: 'tick', tick: tally.takeTick() }), 1000);
  const sampler = new Sampler(data.weights);
  const into = new ReadBuffer();
  const { load, archive, routes } = data;
  const clients = data.clients.map((client) => {
    const route = routes[client % routes.length];
    if (route === undefined) throw new Error('no route');
    return simulateUser(client, { load, archive, sampler, route, observer: tally, into, signal: stop.signal });
  });
  await Promise.all(clients);
  clearInterval(ticking);
  const lateMs = lateness();
  const { counts, latencies, examples } = tally;
  const busy = performance.eventLoopUtilization(atStart).utilization;
  tell({ kind: 'tick', tick: tally.takeTick() });
  tell({ kind: 'done', counts, latencies, examples, busy, lateMs });
  port?.close();
}

await main();
