/** Runs programs from tests: never blocks the event loop (servers live in the same process), bounded in time and output. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const MAX_OUTPUT = 4 * 1024 * 1024;

export interface RunResult {
  /** Exit code; -1 when a signal ended the program. */
  readonly code: number;
  /** Standard output and standard error as they came. */
  readonly output: string;
  readonly stdout: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Milliseconds until the program is killed; 120 s. */
  readonly timeoutMs?: number;
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { cwd, env, input, timeoutMs = 120_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
    });
    let output = '';
    let stdout = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MAX_OUTPUT) output += text;
      if (stdout.length < MAX_OUTPUT) stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MAX_OUTPUT) output += text;
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, output, stdout });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Where `command` is on the PATH. */
export function programPath(command: string): string | undefined {
  const directory = (process.env['PATH'] ?? '').split(':').find((each) => {
    try {
      accessSync(join(each, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return directory && join(directory, command);
}

/** True when `command` is on the PATH. */
export function hasCommand(command: string): boolean {
  return programPath(command) !== undefined;
}

/** What tap takes as `skip`: the reason when a program that the test needs is missing, else false. */
export function skipWithout(...commands: readonly string[]): string | false {
  const missing = commands.filter((command) => !hasCommand(command));
  return missing.length > 0 && `no ${missing.join(', ')} on this machine`;
}

/** Programs that every test on a generated archive with real APT needs. */
export const skipWithoutApt = skipWithout('apt-get', 'gpg', 'gpgv', 'xz', 'dpkg-deb');

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits until `condition` holds, looking every 20 ms; throws with `what` when it does not within `timeoutMs`: long, as
 * it only ends tests that have failed, and machines that have other things to do take many times as long as usual.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(20);
  }
}
