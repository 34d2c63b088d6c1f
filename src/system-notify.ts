/**
 * Tells systemd how the daemon is (sd_notify(3)): READY=1, STOPPING=1, and WATCHDOG=1 while every part answers. The
 * messages are datagrams on a Unix socket, which Node cannot send, so `systemd-notify` of the systemd package sends
 * them. It speaks for its parent process where it may (as root); services of other users need NotifyAccess=all.
 */
import { spawn } from 'node:child_process';

import type { Clock } from './core/clock.ts';
import { asDebtorrentError } from './core/errors.ts';
import type { Logger } from './core/logging.ts';

export interface SystemNotifyDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** Rejects when a part of the daemon does not answer; settles within seconds. */
  readonly answers: () => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface SystemNotify {
  ready(): void;
  stopping(): void;
  /** Resolves when what was to be said is said, or after a second. */
  close(): Promise<void>;
}

const PROGRAM = 'systemd-notify';
/** One message takes milliseconds; the program waits up to 5 s for systemd to have read it. */
const SEND_MS = 8_000;
const CLOSE_MS = 1_000;
/** Messages for each period that systemd waits: one may be late, or missing. */
const PER_PERIOD = 3;
/** Milliseconds; no shorter watchdog makes sense. */
const LEAST_PAUSE_MS = 50;

/** Does nothing unless it runs under systemd. Never throws: a daemon that cannot say how it is works all the same. */
export function systemNotify(deps: SystemNotifyDeps): SystemNotify {
  const { env, pid, log, clock } = deps;
  if (!env['NOTIFY_SOCKET']) return { ready: nothing, stopping: nothing, close: () => Promise.resolve() };
  const pauseMs = watchdogPause(env, pid);
  let sending = Promise.resolve();
  let timer: { clear(): void } | undefined;
  /** The program is not there. */
  let missing = false;
  let warned = false;
  let ended = false;

  const send = (...args: readonly string[]): Promise<void> => {
    sending = sending.then(async () => {
      const failure = missing ? undefined : await runNotify(args, env);
      if (failure === undefined) return;
      missing = failure.missing;
      if (!warned) log.warn({ reason: failure.reason }, `${PROGRAM} does not work: systemd is not told`);
      warned = true;
    });
    return sending;
  };
  const watch = async (pause: number): Promise<void> => {
    try {
      await deps.answers();
      if (!ended) await send('WATCHDOG=1');
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      if (!ended) log.warn({ code, reason: message }, 'a part does not answer: the watchdog is not told');
    }
    if (!ended && !missing) timer = clock.setTimeout(() => void watch(pause), pause);
  };
  return {
    ready() {
      void send(`--pid=${pid}`, 'READY=1');
      if (pauseMs !== undefined) void watch(pauseMs);
    },
    stopping() {
      ended = true;
      timer?.clear();
      void send('STOPPING=1');
    },
    async close() {
      ended = true;
      timer?.clear();
      let wait: { clear(): void } | undefined;
      const late = new Promise<void>((resolve) => (wait = clock.setTimeout(resolve, CLOSE_MS)));
      await Promise.race([sending, late]);
      wait?.clear();
    },
  };
}

/** Milliseconds between two messages; undefined when none are wanted of this process (sd_watchdog_enabled(3)). */
function watchdogPause(env: SystemNotifyDeps['env'], pid: number): number | undefined {
  const { WATCHDOG_USEC: usec = '', WATCHDOG_PID: whose } = env;
  if (!/^[1-9]\d{0,15}$/.test(usec) || (whose !== undefined && whose !== String(pid))) return undefined;
  return Math.max(LEAST_PAUSE_MS, Math.floor(Number(usec) / 1000 / PER_PERIOD));
}

interface Failure {
  readonly reason: string;
  readonly missing: boolean;
}

/** What went wrong, if something did. */
function runNotify(args: readonly string[], env: SystemNotifyDeps['env']): Promise<Failure | undefined> {
  return new Promise((resolve) => {
    const child = spawn(PROGRAM, args, { stdio: 'ignore', env, timeout: SEND_MS });
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ reason: error.message, missing: error.code === 'ENOENT' }),
    );
    child.on('exit', (code, signal) =>
      resolve(code === 0 ? undefined : { reason: `it ended with ${code ?? signal}`, missing: false }),
    );
  });
}

function nothing(): void {
  // nobody listens
}
