/**
 * A process of its own that asks /healthz over and over, 2 ms apart, until its input ends, and then prints how long
 * answers took: what a client sees of a blocked event loop, the scheduler's delays included.
 */
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const INTERVAL_MS = 2;

export interface ProbeReport {
  readonly answers: number;
  readonly maxMs: number;
  readonly p99Ms: number;
}

async function main(url: string): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const latencies: number[] = [];
  let going = true;
  process.stdin.resume().once('end', () => (going = false));
  while (going) {
    const started = performance.now();
    const request = http.get(url, { agent, timeout: 10_000 });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    answer.resume();
    await once(answer, 'end');
    latencies.push(performance.now() - started);
    await sleep(INTERVAL_MS);
  }
  agent.destroy();
  // The first answer carries the connection's set-up and this process's cold code.
  const sorted = latencies.slice(5).sort((a, b) => a - b);
  const report: ProbeReport = {
    answers: sorted.length,
    maxMs: sorted.at(-1) ?? Number.NaN,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

const [url] = process.argv.slice(2);
if (url !== undefined) await main(url);
