/** A program of the distribution, run to its end: with a deadline and a bound on what it may say. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface ProgramOptions {
  /** Milliseconds; the program is killed after them. */
  readonly deadlineMs: number;
  /** Of standard output and of the status channel; the program is killed when it says more. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ProgramResult {
  /** -1 when it was killed. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** What it wrote to file descriptor 3. */
  readonly status: string;
}

const MAX_COMPLAINT = 16 * 1024;

/** Undefined when there is no such program on this machine. Rejects only for what is wrong with this machine. */
export function runProgram(
  command: string,
  args: readonly string[],
  { deadlineMs, maxBytes, signal }: ProgramOptions,
): Promise<ProgramResult | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    }) as ChildProcessByStdio<null, Readable, Readable>;
    const abort = (): void => void child.kill('SIGKILL');
    // spawn's own timeout outlives a program that could not be started
    const timer = setTimeout(abort, deadlineMs);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    signal?.addEventListener('abort', abort);
    if (signal?.aborted === true) abort();
    const stdout = collect(child.stdout, maxBytes, abort);
    const status = collect(child.stdio[3] as unknown as Readable, maxBytes, abort);
    const stderr = collect(child.stderr, MAX_COMPLAINT, () => undefined);
    child.once('error', (error: NodeJS.ErrnoException) => {
      settle();
      if (isMissing(error)) resolve(undefined);
      else reject(error);
    });
    child.once('close', (code) => {
      settle();
      resolve({ code: code ?? -1, stdout: stdout(), stderr: stderr().toString(), status: status().toString() });
    });
  });
}

/**
 * Why a program could not be started: there is none. When none is found, one directory of PATH that this user may not
 * search is enough for EACCES in place of ENOENT (execvp(3)).
 */
export function isMissing({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'EACCES';
}

function collect(stream: Readable, maxBytes: number, onTooMuch: () => void): () => Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    if (length + chunk.length > maxBytes) onTooMuch();
    else chunks.push(chunk);
    length += chunk.length;
  });
  return () => Buffer.concat(chunks);
}
