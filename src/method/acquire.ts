/**
 * Fetches one file from the daemon into APT's target: goes on with what an earlier run has left, takes not more than
 * APT allows, and goes on once more when the daemon ends an answer short.
 */
import { statSync } from 'node:fs';

import type { Answer } from '../core/method/answer-reader.ts';
import { formatHttpDate, parseHttpDate } from '../core/http/http-date.ts';
import { EXPECTED_HEADER } from '../core/method/control.ts';
import { hashesToCompute, type Expected } from '../core/method/expected.ts';
import { DaemonGone, DaemonSilent, EndedShort, type TakeBody } from './connection.ts';
import type { DaemonLink } from './daemon-link.ts';
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

/** What became of a file is known before the answer's end, which nobody needs any more. */
class Settled extends Error {
  readonly outcome: Outcome | 'whole';

  constructor(outcome: Outcome | 'whole') {
    super('settled');
    this.outcome = outcome;
  }
}

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
      if (await deps.link.alive()) return failure(error.message, 'Timeout', true);
      return { kind: 'daemon-gone', why: error.message };
    }
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
  /** Bytes that the target must have at the end; undefined when the answer does not say. */
  #size: number | undefined;
  /** The target is being written. */
  #taking = false;

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
      const outcome = this.#finish(resumedAt);
      return this.#isExpected(outcome) ? outcome : 'whole';
    }
    const headers = {
      ...(expected.sha256 !== undefined && { [EXPECTED_HEADER]: expected.sha256 }),
      ...(resumedAt > 0 && { Range: `bytes=${resumedAt}-`, 'If-Range': this.#validator() }),
      ...(resumedAt === 0 && ifModifiedSince !== undefined && { 'If-Modified-Since': ifModifiedSince }),
    };
    let refusal: Refusal | undefined;
    let start = 0;
    try {
      await this.#deps.link.get(target, headers, (answer) => {
        const { status } = answer;
        if (status === 200 || (status === 206 && resumedAt > 0 && isRestFrom(answer, resumedAt))) {
          start = status === 206 ? resumedAt : 0;
          return this.#take(answer, start);
        }
        refusal = new Refusal(answer);
        return (chunk) => refusal?.body(chunk);
      });
    } catch (error) {
      if (error instanceof Settled) return error.outcome;
      throw error;
    }
    if (refusal !== undefined) return this.#refused(refusal, resumedAt);
    if (this.#size !== undefined && this.#file?.size !== this.#size) throw new EndedShort('the answer ended short');
    const outcome = this.#finish(start, this.#lastModifiedMs);
    // an old part and a new rest: the whole again, before APT is told of a mismatch
    return start > 0 && !this.#isExpected(outcome) ? 'whole' : outcome;
  }

  close(): void {
    this.#file?.close(this.#taking ? this.#lastModifiedMs : undefined);
    this.#file = undefined;
  }

  #refused({ status, location, code, line }: Refusal, resumedAt: number): Outcome | 'whole' {
    const { ifModifiedSince, filename } = this.#wanted;
    if (status === 304 && ifModifiedSince !== undefined) {
      removeTarget(filename);
      return { kind: 'not-modified' };
    }
    if (resumedAt > 0 && (status === 206 || status === 416)) return 'whole';
    if (status >= 301 && status <= 308 && location !== undefined) return redirection(location);
    if (code === 'STOPPING') return { kind: 'daemon-gone', why: 'it is stopping' };
    return failureOfAnswer(status, code, line);
  }

  /** The strongest that says which file the part in the target is of. */
  #validator(): string {
    const { expected, filename } = this.#wanted;
    if (expected.sha256 !== undefined) return `"${expected.sha256}"`;
    return formatHttpDate(modifiedMs(filename));
  }

  /** Begins to write. @throws Settled when there is more than APT takes. */
  #take({ headers }: Answer, start: number): TakeBody {
    const { maxSize, size: expected } = this.#wanted.expected;
    const length = headers.get('content-length');
    const size = length === undefined ? undefined : start + Number(length);
    if (size !== undefined && (size > maxSize || size !== (expected ?? size))) {
      throw new Settled(failure(`the file has ${size} bytes, not ${expected ?? maxSize}`, 'MaximumSizeExceeded'));
    }
    if (start === 0) this.close();
    this.#size = size;
    this.#lastModifiedMs = parseHttpDate(headers.get('last-modified'), this.#deps.now());
    const file = (this.#file ??= this.#create());
    this.#taking = true;
    this.#deps.started(size, start);
    return (chunk) => {
      if (file.size + chunk.length > maxSize) {
        throw new Settled(failure(`the file has more than ${maxSize} bytes`, 'MaximumSizeExceeded'));
      }
      file.write(chunk);
    };
  }

  #finish(resumedAt: number, lastModifiedMs?: number): Done {
    const file = this.#file as TargetFile;
    this.#file = undefined;
    const { size } = file;
    return { kind: 'done', size, resumedAt, lastModifiedMs, digests: file.finish(lastModifiedMs) };
  }

  #isExpected({ size, digests }: Done): boolean {
    const { expected } = this.#wanted;
    if (expected.size !== undefined && expected.size !== size) return false;
    return [...digests].every(([name, digest]) => (expected.hashes.get(name) ?? digest) === digest);
  }
}

type Done = Extract<Outcome, { kind: 'done' }>;

/** An answer that is not the file. */
class Refusal {
  readonly status: number;
  readonly location: string | undefined;
  readonly code: string | undefined;
  #text = '';

  constructor({ status, headers }: Answer) {
    this.status = status;
    this.location = headers.get('location');
    this.code = headers.get('x-debtorrent-error');
  }

  body(chunk: Buffer): void {
    if (this.#text.length < MAX_ERROR_BYTES) this.#text += chunk.toString('latin1', 0, MAX_ERROR_BYTES);
  }

  get line(): string {
    return this.#text.split('\n')[0]?.slice(0, MAX_ERROR_BYTES) ?? '';
  }
}

function isRestFrom({ headers }: Answer, start: number): boolean {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('content-range') ?? '');
  return match !== null && Number(match[1]) === start && Number(match[2]) + 1 === Number(match[3]);
}

/** Only what names another place by itself, in a scheme that APT has a method for. */
function redirection(location: string): Outcome {
  if (/^(?:https?|debtorrent):\/\/[\x21-\x7e]+$/.test(location)) return { kind: 'redirected', to: location };
  return failure('the daemon redirects to what is no address', 'RedirectionLoop');
}

function modifiedMs(path: string): number {
  return partialSize(path) > 0 ? statSync(path).mtimeMs : 0;
}
