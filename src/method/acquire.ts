/**
 * Fetches one file from the daemon into APT's target: goes on with what an earlier run has left, takes not more than
 * APT allows, and goes on once more when the daemon ends an answer short.
 */
import { statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';

import { formatHttpDate, parseHttpDate } from '../core/http/http-date.ts';
import { EXPECTED_HEADER } from '../core/method/control.ts';
import { hashesToCompute, type Expected } from '../core/method/expected.ts';
import { DaemonGone, DaemonSilent, type DaemonLink } from './daemon-link.ts';
import { failure, failureOfAnswer, failureOfError, type Outcome } from './outcome.ts';
import { partialSize, removeTarget, TargetFile } from './target-file.ts';

export interface Wanted {
  /** Request target. */
  readonly target: string;
  /** Where to write it. */
  readonly filename: string;
  readonly expected: Expected;
  /** HTTP-date of what APT has. */
  readonly ifModifiedSince: string | undefined;
}

export interface AcquireDeps {
  readonly link: DaemonLink;
  readonly forceHash: string | undefined;
  now(): number;
  /** The headers are there; `size` is that of the whole file, if it is known. */
  started(size: number | undefined, resumedAt: number): void;
}

/** An answer that ends short is asked for again, from where it ended, this often. */
const TRIES = 3;
const MAX_ERROR_BYTES = 1024;

class EndedShort extends Error {}
class Oversized extends Error {}

/** Never rejects. */
export async function acquire(deps: AcquireDeps, wanted: Wanted): Promise<Outcome> {
  const hashes = hashesToCompute(wanted.expected, deps.forceHash);
  let mayResume = true;
  try {
    for (let attempt = 1; ; attempt++) {
      const file = mayResume ? await TargetFile.resume(wanted.filename, hashes) : undefined;
      const attempted = new Attempt(deps, wanted, file, () => TargetFile.create(wanted.filename, hashes));
      try {
        const outcome = await attempted.run();
        if (outcome !== 'whole') return outcome;
      } catch (error) {
        if (!(error instanceof EndedShort)) throw error;
        if (!(await deps.link.alive())) return { kind: 'daemon-gone', why: 'it has ended' };
        if (attempt >= TRIES) return failure(error.message, 'EndedShort', true);
        continue;
      } finally {
        attempted.close();
      }
      mayResume = false;
    }
  } catch (error) {
    if (error instanceof DaemonGone) return { kind: 'daemon-gone', why: error.message };
    if (error instanceof DaemonSilent) {
      if (await deps.link.alive()) return failure(`the daemon: ${error.message}`, 'Timeout', true);
      return { kind: 'daemon-gone', why: error.message };
    }
    if (error instanceof Oversized) return failure(error.message, 'MaximumSizeExceeded');
    return failureOfError(error);
  }
}

/** One request and its answer. */
class Attempt {
  readonly #deps: AcquireDeps;
  readonly #wanted: Wanted;
  readonly #create: () => TargetFile;
  #file: TargetFile | undefined;
  #lastModifiedMs: number | undefined;

  constructor(deps: AcquireDeps, wanted: Wanted, file: TargetFile | undefined, create: () => TargetFile) {
    this.#deps = deps;
    this.#wanted = wanted;
    this.#file = file;
    this.#create = create;
  }

  /** `whole`: what is in the target is no part of the file; it has to be asked for in full. */
  async run(): Promise<Outcome | 'whole'> {
    const { ifModifiedSince, target, expected } = this.#wanted;
    const resumedAt = this.#file?.size ?? 0;
    if (resumedAt > 0 && resumedAt === expected.size) {
      const outcome = this.#finish(resumedAt, undefined);
      return this.#isExpected(outcome) ? outcome : 'whole';
    }
    const answer = await this.#deps.link.get(target, {
      ...(expected.sha256 !== undefined && { [EXPECTED_HEADER]: expected.sha256 }),
      ...(resumedAt > 0 && { Range: `bytes=${resumedAt}-`, 'If-Range': this.#validator() }),
      ...(resumedAt === 0 && ifModifiedSince !== undefined && { 'If-Modified-Since': ifModifiedSince }),
    });
    const status = answer.statusCode ?? 0;
    if (status === 200) return this.#take(answer, 0);
    if (status === 206 && resumedAt > 0 && isRestFrom(answer, resumedAt)) return this.#take(answer, resumedAt);
    if (status === 304 && ifModifiedSince !== undefined) {
      answer.resume();
      removeTarget(this.#wanted.filename);
      return { kind: 'not-modified' };
    }
    const line = await firstLine(answer);
    if (resumedAt > 0 && (status === 206 || status === 416)) return 'whole';
    const location = answer.headers.location;
    if (status >= 301 && status <= 308 && location !== undefined) return redirection(location);
    const code = answer.headers['x-debtorrent-error'];
    if (code === 'STOPPING') return { kind: 'daemon-gone', why: 'it is stopping' };
    return failureOfAnswer(status, typeof code === 'string' ? code : undefined, line);
  }

  close(): void {
    this.#file?.close(this.#lastModifiedMs);
    this.#file = undefined;
  }

  /** The strongest that says which file the part in the target is of. */
  #validator(): string {
    const { expected, filename } = this.#wanted;
    if (expected.sha256 !== undefined) return `"${expected.sha256}"`;
    return formatHttpDate(modifiedMs(filename));
  }

  async #take(answer: IncomingMessage, start: number): Promise<Outcome | 'whole'> {
    const { expected } = this.#wanted;
    const lengthText = answer.headers['content-length'];
    const size = lengthText === undefined ? undefined : start + Number(lengthText);
    this.#lastModifiedMs = parseHttpDate(answer.headers['last-modified'], this.#deps.now());
    if (size !== undefined && (size > expected.maxSize || size !== (expected.size ?? size))) {
      answer.destroy();
      const limit = expected.size ?? expected.maxSize;
      return failure(`the file has ${size} bytes, not ${limit}`, 'MaximumSizeExceeded');
    }
    if (start === 0 && this.#file !== undefined) this.close();
    const file = (this.#file ??= this.#create());
    this.#deps.started(size, start);
    await pour(answer, file, expected.maxSize);
    if (size !== undefined && file.size !== size)
      throw new EndedShort(`the answer ended after ${file.size} of ${size} bytes`);
    const outcome = this.#finish(start, this.#lastModifiedMs);
    // an old part and a new rest: the whole again, before APT is told of a mismatch
    return start > 0 && !this.#isExpected(outcome) ? 'whole' : outcome;
  }

  #finish(resumedAt: number, lastModifiedMs: number | undefined): Extract<Outcome, { kind: 'done' }> {
    const file = this.#file as TargetFile;
    this.#file = undefined;
    const { size } = file;
    return { kind: 'done', size, resumedAt, lastModifiedMs, digests: file.finish(lastModifiedMs) };
  }

  #isExpected({ size, digests }: Extract<Outcome, { kind: 'done' }>): boolean {
    const { expected } = this.#wanted;
    if (expected.size !== undefined && expected.size !== size) return false;
    return [...digests].every(([name, digest]) => (expected.hashes.get(name) ?? digest) === digest);
  }
}

/** Writes the body as it comes. @throws EndedShort when the connection ends first, Oversized when it is too long. */
function pour(answer: IncomingMessage, file: TargetFile, maxSize: number): Promise<void> {
  return new Promise((resolve, reject) => {
    answer.on('data', (chunk: Buffer) => {
      try {
        if (file.size + chunk.length > maxSize) throw new Oversized(`the file has more than ${maxSize} bytes`);
        file.write(chunk);
      } catch (error) {
        answer.destroy();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    answer.once('end', resolve);
    answer.once('error', (error) => {
      reject(error instanceof DaemonSilent ? error : new EndedShort(`the answer ended after ${file.size} bytes`));
    });
  });
}

function isRestFrom(answer: IncomingMessage, start: number): boolean {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers['content-range'] ?? '');
  return match !== null && Number(match[1]) === start && Number(match[2]) + 1 === Number(match[3]);
}

/** Only what names another place by itself, in a scheme that APT has a method for. */
function redirection(location: string): Outcome {
  if (/^(?:https?|debtorrent):\/\/[\x21-\x7e]+$/.test(location)) return { kind: 'redirected', to: location };
  return failure('the daemon redirects to what is no address', 'RedirectionLoop');
}

async function firstLine(answer: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of answer.setEncoding('latin1') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > MAX_ERROR_BYTES) break;
    }
  } catch {
    // what came of it will do
  }
  return text.split('\n')[0] ?? '';
}

function modifiedMs(path: string): number {
  return partialSize(path) > 0 ? statSync(path).mtimeMs : 0;
}
