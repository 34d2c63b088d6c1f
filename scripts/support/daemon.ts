/** Our daemon as a process, and what its status page and metrics say. */
import { existsSync, openSync, readFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { httpText, socketText } from './http-client.ts';
import { type Scope, startProcess } from './scope.ts';

/** Seen from dist/scripts/support/daemon.js; BENCH_DAEMON names another build to measure. */
const PROGRAM = process.env['BENCH_DAEMON'] ?? fileURLToPath(new URL('../../../bin/debtorrent', import.meta.url));

export interface DaemonOptions {
  readonly cacheDir: string;
  /** 0 lets it pick one. */
  readonly port: number;
  /** What it may fetch from: ports of 127.0.0.1, or hosts. */
  readonly mirrors: readonly (number | string)[];
  readonly logFile: string;
  readonly keyrings?: readonly string[];
  /** Archives under these are shared with peers. */
  readonly publicKeyrings?: readonly string[];
  /** Left out: no peers at all. */
  readonly peers?: PeerOptions;
  /** The same HTTP on a Unix socket, for daemons on a loopback interface that is not ours. */
  readonly socket?: string;
  /** A command that runs the command after it, such as `ip netns exec NAME`. */
  readonly through?: readonly string[];
}

export interface PeerOptions {
  /** 127.0.0.1 and a port of its choice unless given. */
  readonly listen?: string;
  readonly lan: boolean;
  /** HOST:PORT */
  readonly fixed: readonly string[];
}

export interface Daemon {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly base: string;
  /** ADDR:PORT of its BitTorrent port; null when it has none. */
  readonly peer: string | null;
  readonly socket: string | undefined;
  /** From spawn to the `ready` line. */
  readonly readyMs: number;
  /** performance.now() at spawn. */
  readonly spawnedAt: number;
}

export interface Status {
  readonly torrents: readonly { readonly name: string; readonly files: number }[];
  readonly transfers: readonly { readonly state: string }[];
  readonly peers: readonly { readonly address: string; readonly banned: boolean }[];
  readonly totals: Readonly<Record<string, number>>;
}

export function daemonIsBuilt(): boolean {
  return existsSync(PROGRAM) && process.env['BENCH_WITHOUT_DAEMON'] === undefined;
}

export async function startDaemon(scope: Scope, options: DaemonOptions): Promise<Daemon> {
  const args = [
    ...(process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? []),
    PROGRAM,
    'serve',
    '--config=/dev/null', // not the one of a daemon that is installed on this machine
    '--listen',
    `127.0.0.1:${options.port}`,
    '--cache-dir',
    options.cacheDir,
    ...options.mirrors.flatMap((one) => ['--allow-mirror', typeof one === 'number' ? `127.0.0.1:${one}` : one]),
    ...(options.keyrings ?? []).flatMap((path) => ['--keyring', path]),
    ...(options.publicKeyrings ?? []).flatMap((path) => ['--public-keyring', path]),
    ...(options.socket === undefined ? [] : ['--socket', options.socket]),
    ...peerFlags(options.peers),
    '--log-format=json',
  ];
  const spawnedAt = performance.now();
  const log = openSync(options.logFile, 'a');
  const [command = process.execPath, ...rest] = [...(options.through ?? []), process.execPath, ...args];
  const child = startProcess(scope, command, rest, {
    stdio: ['ignore', 'pipe', log],
    env: withoutSettings(process.env),
  });
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
  const ready = JSON.parse(/^ready (.*)$/m.exec(line)?.[1] ?? '{}') as {
    http: string;
    peer: string | null;
    pid: number;
  };
  const { pid, peer } = ready;
  return { child, pid, base: `http://${ready.http}`, peer, socket: options.socket, readyMs, spawnedAt };
}

/**
 * What is set for another daemon must not reach one that is measured: with somebody's tracker it would not be alone.
 * Memory is as npm start and the systemd unit have it.
 */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const settings = /^(?:DEBTORRENT_.*|CACHE_DIRECTORY|RUNTIME_DIRECTORY|NOTIFY_SOCKET)$/;
  const kept = Object.entries(env).filter(([name]) => !settings.test(name));
  return { ...Object.fromEntries(kept), MALLOC_ARENA_MAX: '2' };
}

function peerFlags(peers: PeerOptions | undefined): string[] {
  if (peers === undefined) return ['--peer-listen=off', '--lan=off'];
  const fixed = peers.fixed.flatMap((address) => ['--peer', address]);
  return [`--peer-listen=${peers.listen ?? '127.0.0.1:0'}`, `--lan=${peers.lan ? 'on' : 'off'}`, ...fixed];
}

/** A page of its own, over whichever way there is to it. */
function ownPage(daemon: Daemon, path: string): Promise<string> {
  return daemon.socket === undefined ? httpText(daemon.base + path) : socketText(daemon.socket, path);
}

export async function daemonStatus(daemon: Daemon): Promise<Status> {
  return JSON.parse(await ownPage(daemon, '/status.json')) as Status;
}

/** The largest value of a metric over all of its label sets and suffixes that match. Throws when there is none. */
export async function daemonMetric(daemon: Daemon, name: RegExp): Promise<number> {
  const lines = (await ownPage(daemon, '/metrics')).split('\n');
  const values = lines
    .filter((line) => !line.startsWith('#') && name.test(line))
    .map((line) => Number(line.split(' ').at(-1)));
  if (values.length === 0) throw new Error(`/metrics has nothing like ${name.source}`);
  return Math.max(...values);
}

/** Processor seconds that a process has used since its start, all of its threads together; NaN once it is gone. */
export async function processorSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // Fields 14 and 15 of proc(5), after the name in parentheses, which may contain anything; in ticks of 10 ms.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
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
