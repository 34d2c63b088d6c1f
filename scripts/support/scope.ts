/**
 * What a benchmark starts (processes, directories) is given back here, in reverse order, however the run ends.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

export interface Scope {
  /** Runs at close, last in first out; errors are swallowed because the rest must still be given back. */
  defer(cleanup: () => unknown): void;
  /** Throws once the scope is closing: nothing may be started that nobody would stop. */
  assertOpen(): void;
  close(): Promise<void>;
}

export function createScope(): Scope {
  const cleanups: (() => unknown)[] = [];
  let closed: Promise<void> | undefined;
  async function giveBack(): Promise<void> {
    for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) {
      await Promise.resolve()
        .then(cleanup)
        .catch(() => undefined);
    }
  }
  return {
    defer: (cleanup) => void cleanups.push(cleanup),
    assertOpen() {
      if (closed !== undefined) throw new Error('stopped');
    },
    close: () => (closed ??= giveBack()),
  };
}

/** Runs `work` with a scope of its own, which is closed before the promise settles and when the parent closes. */
export async function withScope<T>(parent: Scope, work: (scope: Scope) => Promise<T>): Promise<T> {
  parent.assertOpen();
  const scope = createScope();
  parent.defer(() => scope.close());
  try {
    return await work(scope);
  } finally {
    await scope.close();
  }
}

/** A directory that goes away with the scope. */
export async function temporaryDirectory(scope: Scope, base: string, name: string): Promise<string> {
  scope.assertOpen();
  const path = await mkdtemp(join(base, `${name}-`));
  scope.defer(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

/** A port of 127.0.0.1 that was free a moment ago; for servers that cannot pick one themselves. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer().listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const LOW_PORTS = { first: 20_000, count: 12_000 };
/** So many are this process's own before it comes to those of another one. */
const OWN_LOW_PORTS = 30;
let lowPorts = process.pid * OWN_LOW_PORTS;

/**
 * The same below 32768, which are none of those that the system gives out: for servers that keep ports in 15 bits, and
 * for those that go down and come again, meanwhile nobody is given it. Each time another one.
 */
export async function freeLowPort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await freePort(LOW_PORTS.first + (lowPorts++ % LOW_PORTS.count)).catch(() => 0);
    if (port > 0) return port;
  }
  throw new Error('no free port between 20000 and 32000');
}

/** Starts a process that stops with the scope: SIGTERM, after `graceMs` SIGKILL. */
export function startProcess(
  scope: Scope,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
  graceMs = 12_000,
): ChildProcess {
  scope.assertOpen();
  const child = spawn(command, args, { stdio: 'ignore', ...options });
  child.on('error', () => undefined);
  scope.defer(() => stopProcess(child, graceMs));
  return child;
}

export async function stopProcess(child: ChildProcess, graceMs = 12_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await gone;
  clearTimeout(timer);
}

export interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  /** Wall time from spawn to exit. */
  readonly ms: number;
}

/** Runs a command to its end; throws with the tail of its output unless it exits with 0. */
export async function run(
  scope: Scope,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<Finished> {
  const started = performance.now();
  const child = startProcess(scope, command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const ms = performance.now() - started;
  if (code !== 0) throw new Error(`${command} exited with ${code}: ${(stderr + stdout).slice(-2000)}`);
  return { stdout, stderr, ms };
}
