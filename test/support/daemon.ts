/**
 * The real daemon as a process of its own, on a free port and a throwaway cache, reached only by what the interface
 * promises: the ready line, HTTP, signals and exit codes.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from './process.ts';
import { exchange, requestText } from './raw-http.ts';
import type { RawAnswer, Target } from './raw-http.ts';

/** The program as built, seen from dist/test/support. */
export const MAIN = fileURLToPath(new URL('../../../bin/debtorrent', import.meta.url));

export interface DaemonOptions {
  /** Hosts that may be fetched from. */
  readonly mirrors: readonly string[];
  readonly keyring: string;
  /** Archives verified by it are shared; the same unless given. */
  readonly publicKeyring?: string;
  readonly cacheDir?: string;
  /** Peers are off unless it is there. */
  readonly peers?: { readonly listen?: string; readonly fixed?: readonly string[]; readonly lan?: boolean } | undefined;
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** ADDR:PORT; a free port of loopback unless given. */
  readonly listen?: string;
  /** What starts the program, which is added to it; such as `['nice', '-n', '5']`. */
  readonly launcher?: readonly string[];
}

interface Ready {
  readonly http: string;
  readonly peer: string | null;
  readonly pid: number;
}

export interface Status {
  readonly torrents: readonly {
    name: string;
    id: string;
    files: number;
    bytes: number;
    peers: number;
    wanted: number;
  }[];
  readonly transfers: readonly { path: string; sha256?: string; size?: number; received: number; state: string }[];
  readonly totals: Readonly<Record<string, number>>;
  readonly cache: { readonly files: number; readonly bytes: number; readonly limit_bytes: number };
  readonly mirrors: readonly { host: string; bytes: number; errors: number }[];
  readonly [other: string]: unknown;
}

/** Long, as for `until`. */
const READY_MS = 60_000;
const STOP_MS = 10_000;
const MAX_LOG_LINES = 5000;

/** Environment of the daemon: this one's, without what configures it. */
function cleanEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(DEBTORRENT_|CACHE_DIRECTORY$|NOTIFY_SOCKET$|LISTEN_|NODE_V8_COVERAGE|TAP|.*_proxy$)/i.test(name),
  );
  return { ...Object.fromEntries(kept), ...extra };
}

export function spawnMain(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  launcher: readonly string[] = [],
): ChildProcess {
  const [command, ...rest] = [...launcher, process.execPath, MAIN, ...args] as [string, ...string[]];
  return spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnv(env) });
}

export class Daemon {
  readonly cacheDir: string;
  readonly #options: DaemonOptions;
  readonly #ownsCache: boolean;
  #child: ChildProcess | undefined;
  #ready: Ready | undefined;
  /** Last lines of standard output and standard error, for messages of failing tests. */
  readonly lines: string[] = [];

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.#ownsCache = options.cacheDir === undefined;
    this.cacheDir = options.cacheDir ?? mkdtempSync(join(tmpdir(), 'dt-cache-'));
  }

  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    try {
      await daemon.start(options.listen);
    } catch (error) {
      await daemon.close();
      throw error;
    }
    return daemon;
  }

  /** Starts, or starts again on the same cache, on a free port unless told which. */
  async start(listen = '127.0.0.1:0'): Promise<void> {
    const { mirrors, keyring, publicKeyring, peers, flags = [], env, launcher } = this.#options;
    const child = spawnMain(
      [
        ...['serve', '--listen', listen, '--cache-dir', this.cacheDir],
        ...['--log-format', 'json', '--log-level', 'debug', '--lan', peers?.lan === true ? 'on' : 'off'],
        ...['--peer-listen', peers === undefined ? 'off' : (peers.listen ?? '127.0.0.1:0')],
        ...(peers?.fixed ?? []).flatMap((address) => ['--peer', address]),
        ...['--keyring', keyring, '--public-keyring', publicKeyring ?? keyring],
        ...mirrors.flatMap((mirror) => ['--allow-mirror', mirror]),
        ...flags,
      ],
      env,
      launcher,
    );
    this.#child = child;
    this.#ready = await new Promise<Ready>((resolve, reject) => {
      const fail = (what: string): void => reject(new Error(`${what}\n${this.lines.slice(-20).join('\n')}`));
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        fail('the daemon was not ready in time');
      }, READY_MS);
      const onLine = (line: string): void => {
        if (this.lines.push(line) > MAX_LOG_LINES) this.lines.shift();
        if (!line.startsWith('ready ')) return;
        clearTimeout(timer);
        resolve(JSON.parse(line.slice('ready '.length)) as Ready);
      };
      eachLine(child.stdout, onLine);
      eachLine(child.stderr, onLine);
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        fail(`the daemon ended with ${code ?? signal} before it was ready`);
      });
    });
  }

  get ready(): Ready {
    if (this.#ready === undefined) throw new Error('the daemon is not running');
    return this.#ready;
  }

  get port(): number {
    return Number(this.ready.http.slice(this.ready.http.lastIndexOf(':') + 1));
  }

  get target(): Target {
    return { port: this.port };
  }

  /** `http://127.0.0.1:PORT` */
  get url(): string {
    return `http://${this.ready.http}`;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Log lines that contain `text`. */
  logged(text: string): string[] {
    return this.lines.filter((line) => line.includes(text));
  }

  /**
   * One request over a connection of its own; `target` is a path or an absolute URL. The status is 0 when the
   * connection ended, or the time ran out, before there was an answer.
   */
  async request(
    target: string,
    options: { method?: string; headers?: readonly string[]; host?: string; timeoutMs?: number } = {},
  ): Promise<RawAnswer> {
    const { method = 'GET', headers = [], host = this.ready.http, timeoutMs = 120_000 } = options;
    const bytes = requestText(method, target, host, ['Connection: close', ...headers]);
    const [answer] = await exchange(this.target, bytes, { methods: [method], timeoutMs });
    return answer ?? { status: 0, headers: {}, body: Buffer.alloc(0), complete: false };
  }

  /** A file of a mirror in prefix form, such as `get('127.0.0.1:80', '/debian/x')`. */
  get(host: string, path: string, headers: readonly string[] = []): Promise<RawAnswer> {
    return this.request(`/${host}${path}`, { headers });
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.request('/status.json')).body.toString()) as Status;
  }

  async metrics(): Promise<string> {
    return (await this.request('/metrics')).body.toString();
  }

  /** SIGTERM; resolves with the exit code and how long it took, kills after 10 s. */
  async stop(): Promise<{ code: number | null; ms: number }> {
    const child = this.#child;
    if (child === undefined || !this.running) throw new Error('the daemon is not running');
    const began = performance.now();
    const exited = once(child, 'exit');
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const [code] = (await exited) as [number | null];
    const ms = performance.now() - began;
    clearTimeout(timer);
    // What it has said last is in `lines` only then.
    await closed;
    return { code, ms };
  }

  /** SIGKILL, as a power cut for the process. */
  async kill9(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.running) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  /** For teardown: whatever state it is in. */
  async close(): Promise<void> {
    await this.kill9();
    if (!this.#ownsCache) return;
    for (let tries = 0; tries < 5; tries += 1) {
      try {
        return rmSync(this.cacheDir, { recursive: true, force: true });
      } catch {
        await sleep(50);
      }
    }
  }
}

function eachLine(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-65_536);
    for (const line of lines) onLine(line);
  });
}
