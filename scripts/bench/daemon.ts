/** Our daemon as a process, and what its status page and metrics say. */
import { existsSync, openSync, readFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { httpText } from './http-client.ts';
import { type Scope, startProcess } from './scope.ts';

/** Seen from dist/scripts/bench/daemon.js; BENCH_DAEMON names another build to measure. */
const PROGRAM = process.env['BENCH_DAEMON'] ?? fileURLToPath(new URL('../../../bin/debtorrent', import.meta.url));

export interface DaemonOptions {
  readonly cacheDir: string;
  /** 0 lets it pick one. */
  readonly port: number;
  /** Ports of 127.0.0.1 that it may fetch from. */
  readonly mirrors: readonly number[];
  readonly logFile: string;
  readonly keyrings?: readonly string[];
}

export interface Daemon {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly base: string;
  /** From spawn to the `ready` line. */
  readonly readyMs: number;
  /** performance.now() at spawn. */
  readonly spawnedAt: number;
}

export interface Status {
  readonly torrents: readonly { readonly name: string; readonly files: number }[];
  readonly transfers: readonly { readonly state: string }[];
}

export function daemonIsBuilt(): boolean {
  return existsSync(PROGRAM) && process.env['BENCH_WITHOUT_DAEMON'] === undefined;
}

export async function startDaemon(scope: Scope, options: DaemonOptions): Promise<Daemon> {
  const args = [
    ...(process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? []),
    PROGRAM,
    'serve',
    '--listen',
    `127.0.0.1:${options.port}`,
    '--cache-dir',
    options.cacheDir,
    ...options.mirrors.flatMap((port) => ['--allow-mirror', `127.0.0.1:${port}`]),
    ...(options.keyrings ?? []).flatMap((path) => ['--keyring', path]),
    '--peer-listen=off',
    '--lan=off',
    '--log-format=json',
  ];
  const spawnedAt = performance.now();
  const log = openSync(options.logFile, 'a');
  const child = startProcess(scope, process.execPath, args, { stdio: ['ignore', 'pipe', log] });
  const line = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (/^ready .*\n/m.test(text)) resolve(text);
    });
    child.once('exit', (code) => {
      const tail = readFileSync(options.logFile, 'utf8').slice(-500);
      reject(new Error(`the daemon exited with ${code}: ${tail}`));
    });
    setTimeout(() => reject(new Error('the daemon was not ready within 20 s')), 20_000).unref();
  });
  const readyMs = performance.now() - spawnedAt;
  const ready = JSON.parse(/^ready (.*)$/m.exec(line)?.[1] ?? '{}') as { http: string; pid: number };
  return { child, pid: ready.pid, base: `http://${ready.http}`, readyMs, spawnedAt };
}

export async function daemonStatus(daemon: Daemon): Promise<Status> {
  return JSON.parse(await httpText(`${daemon.base}/status.json`)) as Status;
}

/** The largest value of a metric over all of its label sets and suffixes that match; NaN if it is not there. */
export async function daemonMetric(daemon: Daemon, name: RegExp): Promise<number> {
  const lines = (await httpText(`${daemon.base}/metrics`)).split('\n');
  const values = lines.filter((line) => !line.startsWith('#') && name.test(line)).map((line) => Number(line.split(' ').at(-1)));
  return values.length > 0 ? Math.max(...values) : Number.NaN;
}

/** Resident megabytes (10^6) of a process and its children, now and at most so far (itself alone). */
export async function residentMemory(pid: number): Promise<{ now: number; peak: number }> {
  const field = (text: string, name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024) / 1e6;
  const own = await readFile(`/proc/${pid}/status`, 'utf8');
  let now = field(own, 'VmRSS');
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const text = await readFile(`/proc/${entry}/status`, 'utf8').catch(() => '');
    if (new RegExp(`^PPid:\\s+${pid}$`, 'm').test(text)) now += field(text, 'VmRSS');
  }
  return { now, peak: field(own, 'VmHWM') };
}
