/**
 * The life of one load test: its scope, and its end when a signal comes, when whoever started it is gone, or when it
 * is itself killed: a shell that reads its pipe then ends what it had started and removes what it had written.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type Scope, createScope } from '../support/scope.ts';

export interface Session {
  readonly scope: Scope;
  /** Aborted when the run has to end early. */
  readonly signal: AbortSignal;
  /** The exit code once the run has to end early. */
  readonly code: number | undefined;
  /**
   * Work that has an end of its own soon after the signal, and then something to say: until then it keeps what it works
   * with, for a while.
   */
  toItsEnd<T>(work: () => Promise<T>): Promise<T>;
  /** From now on the directory, and processes that have it in their command line, do not outlive this process. */
  guard(directory: string): void;
  end(): Promise<void>;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const PARENT_CHECK_MS = 500;
/** How long work may take to its end. */
const WIND_UP_MS = 5_000;
/** Everything is stopped within that after a signal, or the process ends all the same. */
const GRACE_MS = 15_000;

/** Waits for the end of its input, which is the end of this process, however it came. */
const GUARD = `
trap '' INT TERM HUP
read -r _
for signal in TERM KILL; do
  for file in $(grep -laF -- "$1" /proc/[0-9]*/cmdline 2>/dev/null); do
    pid=\${file#/proc/}
    pid=\${pid%/cmdline}
    [ "$pid" = $$ ] || kill -$signal "$pid" 2>/dev/null
  done
  sleep 1
done
rm -rf -- "$1"
`;

export function createSession(): Session {
  const scope = createScope();
  const abort = new AbortController();
  let guard: ChildProcess | undefined;
  let exitCode: number | undefined;
  let working = false;
  const stop = (code: number): void => {
    if (abort.signal.aborted) return;
    abort.abort();
    exitCode = code;
    setTimeout(() => process.exit(code), GRACE_MS).unref();
    // whoever waits for something that has been stopped fails, and main ends
    if (working) setTimeout(() => void scope.close(), WIND_UP_MS).unref();
    else void scope.close();
  };
  for (const name of SIGNALS) process.on(name, () => stop(name === 'SIGINT' ? 130 : 143));
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop(141));
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid === parent || stop(143), PARENT_CHECK_MS);
  watch.unref();
  return {
    scope,
    signal: abort.signal,
    get code() {
      return exitCode;
    },
    async toItsEnd(work) {
      working = true;
      try {
        return await work();
      } finally {
        working = false;
        if (abort.signal.aborted) void scope.close();
      }
    },
    guard(directory) {
      // in a session of its own: a signal to the process group of this one is not for it
      guard = spawn('sh', ['-c', GUARD, 'loadtest-guard', directory], {
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      });
      guard.on('error', () => undefined);
      guard.unref();
      (guard.stdin as unknown as { unref?: () => void }).unref?.();
    },
    async end() {
      clearInterval(watch);
      await scope.close();
      guard?.kill('SIGKILL');
    },
  };
}
