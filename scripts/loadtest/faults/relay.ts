/**
 * A misbehaving mirror: passes requests on to a good one and does to the answers what it was told. Its access log has
 * the form of the good one's, and says what has really gone out.
 */
import { type WriteStream, createWriteStream } from 'node:fs';
import { Agent, type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TokenBucket } from '../../../src/core/swarm/token-bucket.ts';
import { type MirrorFaults, type Mishap, createMishaps } from './faults.ts';

export interface RelayOptions {
  /** HOST:PORT of the good mirror. */
  readonly mirror: string;
  readonly faults: MirrorFaults;
  readonly seed: string;
  readonly accessLog: string;
}

export interface Relay {
  readonly port: number;
  close(): Promise<void>;
}

/** A stall is over after that: nobody waits longer, and connections must not add up. */
const STALL_MS = 60_000;
/** What is sent between two looks at the rates. */
const SLICE = 32 * 1024;
const ERROR_PAGE = 'out of order\n';

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { faults, seed } = options;
  const [host = '', port = ''] = options.mirror.split(':');
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const log = createWriteStream(options.accessLog, { flags: 'a' });
  const mishap = createMishaps(faults, seed);
  const total = new TokenBucket({ rate: faults.totalRate ?? 0 });
  const own = new WeakMap<object, TokenBucket>();
  const server = createServer((asked, answer) => {
    const { socket } = asked;
    const bucket = own.get(socket) ?? new TokenBucket({ rate: faults.rate ?? 0 });
    own.set(socket, bucket);
    const relayed = relay(asked, answer, {
      host,
      port: Number(port),
      agent,
      buckets: [bucket, total],
      latency: faults.latency ?? 0,
      mishap: mishap(),
    });
    void relayed.catch(() => answer.destroy()).then(() => note(log, asked, answer));
  });
  // as many requests on a connection as it likes, however long they take
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
      await new Promise((resolve) => log.end(resolve));
    },
  };
}

interface Way {
  readonly host: string;
  readonly port: number;
  readonly agent: Agent;
  readonly buckets: readonly TokenBucket[];
  readonly latency: number;
  readonly mishap: Mishap | undefined;
}

const sentBytes = new WeakMap<ServerResponse, number>();

async function relay(asked: IncomingMessage, answer: ServerResponse, way: Way): Promise<void> {
  const { mishap } = way;
  if (way.latency > 0) await sleep(way.latency);
  if (mishap?.kind === 'reset') return void asked.socket.resetAndDestroy();
  if (mishap?.kind === 'error') {
    sentBytes.set(answer, ERROR_PAGE.length);
    answer.writeHead(503, { 'content-type': 'text/plain', 'content-length': ERROR_PAGE.length });
    return void answer.end(ERROR_PAGE);
  }
  const { host, port, agent } = way;
  const passed = request({ host, port, agent, method: asked.method, path: asked.url, headers: asked.headers });
  answer.once('close', () => passed.destroy());
  passed.end();
  const [given] = (await once(passed, 'response')) as [IncomingMessage];
  answer.writeHead(given.statusCode ?? 502, given.headers);
  const length = Number(given.headers['content-length'] ?? 0);
  const most = mishap === undefined ? Infinity : Math.floor(length * mishap.after);
  let sent = 0;
  for await (const chunk of given as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length && sent < most; at += SLICE) {
      const slice = chunk.subarray(at, Math.min(at + SLICE, chunk.length, at + most - sent));
      for (const bucket of way.buckets) await paid(bucket, slice.length);
      if (answer.destroyed) return;
      if (!answer.write(slice)) await drained(answer);
      sent += slice.length;
      sentBytes.set(answer, sent);
    }
    if (sent >= most) break;
  }
  if (mishap === undefined || length === 0) return void answer.end();
  if (mishap.kind === 'stall') {
    const waiting = new AbortController();
    answer.once('close', () => waiting.abort());
    await sleep(STALL_MS, undefined, { signal: waiting.signal, ref: false }).catch(() => undefined);
  }
  asked.socket.destroy();
}

/** Or closed. */
function drained(answer: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      answer.off('drain', done);
      answer.off('close', done);
      resolve();
    };
    answer.on('drain', done);
    answer.on('close', done);
  });
}

async function paid(bucket: TokenBucket, bytes: number): Promise<void> {
  for (let wait = bucket.take(bytes, performance.now()); wait > 0; wait = bucket.take(bytes, performance.now()))
    await sleep(wait);
}

function note(log: WriteStream, asked: IncomingMessage, answer: ServerResponse): void {
  const range = asked.headers.range ?? '-';
  const status = answer.headersSent ? answer.statusCode : 499;
  log.write(
    `${(Date.now() / 1000).toFixed(3)} 127.0.0.1 ${status} ${sentBytes.get(answer) ?? 0} "${asked.url ?? ''}" "${range}"\n`,
  );
}
