/**
 * Carries out one range job: asks the mirror, follows redirects inside with each hop checked, writes the body into
 * the partial file and says how it ended. One try: what to do after a failure is the transfer's decision.
 */
import { createHash, type Hash } from 'node:crypto';
import { createBrotliDecompress, createGunzip, createInflate, type Gunzip } from 'node:zlib';

import { asDebtorrentError, DebtorrentError } from '../../core/errors.ts';
import { mirrorRequest, parseMirrorUrl } from '../../core/http/mirror-url.ts';
import type { HostRules } from '../../core/host-rules.ts';
import type { MirrorUrl, Sha256 } from '../../core/ids.ts';
import type { RangeJob, RangeOutcome, SourceSinkProtocol } from '../source.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import { readAnswer, type Body, type Headers } from './answer.ts';
import { checkHost } from './dns-guard.ts';
import type { Exchange, Exchanger } from './exchange.ts';
import { RangeWriter, type BodyWriter, type BodyWriterOptions } from './range-writer.ts';

export interface FetchRangeDeps {
  readonly exchanger: Exchanger;
  readonly rules: HostRules;
  readonly sink: Pick<ActorRef<SourceSinkProtocol>, 'tell'>;
  readonly userAgent: string;
  now(): number;
  /** Where bodies go; into the job's partial file unless given. */
  readonly createWriter?: (options: BodyWriterOptions) => BodyWriter;
  /** Counts bytes of bodies by mirror. */
  received(host: string, bytes: number): void;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

type Hop = { readonly location: MirrorUrl } | { readonly outcome: RangeOutcome };

export async function fetchRange(deps: FetchRangeDeps, job: RangeJob, signal: AbortSignal): Promise<RangeOutcome> {
  let url = job.url;
  try {
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const hop = await oneHop(deps, job, url, signal);
      if ('outcome' in hop) return hop.outcome;
      url = hop.location;
    }
    throw new DebtorrentError('REDIRECT_REFUSED', `more than ${MAX_REDIRECTS} redirects`);
  } catch (error) {
    const { code, message } = translate(error);
    if (url !== job.url && (code === 'HOST_NOT_ALLOWED' || code === 'ADDRESS_NOT_ALLOWED')) {
      return {
        kind: 'failed',
        code: 'REDIRECT_REFUSED',
        message: `redirected to ${url}: ${message}`,
        transient: false,
      };
    }
    return { kind: 'failed', code, message, transient: TRANSIENT_CODES.has(code) };
  }
}

const TRANSIENT_CODES = new Set<string>([
  'MIRROR_UNREACHABLE',
  'MIRROR_TIMEOUT',
  'MIRROR_TRUNCATED',
  'MIRROR_PROTOCOL',
  'MIRROR_ERROR',
]);

async function oneHop(deps: FetchRangeDeps, job: RangeJob, url: MirrorUrl, signal: AbortSignal): Promise<Hop> {
  const request = mirrorRequest(url);
  checkHost(deps.rules, request.host, request.port);
  return new Promise<Hop>((resolve, reject) => {
    let exchange: Exchange | undefined;
    let body: BodySink | undefined;
    let settled = false;
    const settle = (result: Hop | Error) => {
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', cancel);
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    const stop = (result: Hop | Error) => {
      settle(result);
      exchange?.abort(result instanceof Error ? result : new DebtorrentError('CANCELLED', 'not wanted'));
    };
    const cancel = () => {
      const error = new DebtorrentError('CANCELLED', 'the job was cancelled');
      void (body?.finish() ?? Promise.resolve()).catch(() => undefined).then(() => settle(error));
      exchange?.abort(error);
    };
    if (signal.aborted) {
      settle(new DebtorrentError('CANCELLED', 'the job was cancelled'));
      return;
    }
    signal.addEventListener('abort', cancel);

    const finish = (fault: Error | undefined) => {
      if (body === undefined) {
        settle(fault ?? new DebtorrentError('MIRROR_PROTOCOL', 'the answer ended before its headers'));
        return;
      }
      const sink = body;
      sink.finish().then(
        () => settle(fault ?? sink.outcome()),
        (error: Error) => settle(error),
      );
    };

    exchange = deps.exchanger.open(
      { method: job.headersOnly === true ? 'HEAD' : 'GET', request, headers: requestHeaders(job, deps.userAgent) },
      {
        head(status, headers) {
          const location = redirect(status, headers, url);
          if (location !== undefined) {
            stop({ location });
            return;
          }
          const answer = readAnswer(job, status, headers, deps.now());
          if ('outcome' in answer) {
            stop(answer);
            return;
          }
          if (job.headersOnly === true) {
            stop({ outcome: { kind: 'done', info: answer.body.info, end: 0 } });
            return;
          }
          body = new BodySink(deps, job, answer.body, request.host, {
            pause: () => exchange?.pause(),
            resume: () => exchange?.resume(),
            abort: (error) => exchange?.abort(error),
          });
          deps.sink.tell('started', job.id, answer.body.info);
        },
        data: (chunk) => body?.push(chunk),
        end: () => finish(undefined),
        error: (error) => finish(error),
      },
    );
  });
}

/** Takes the body of an accepted answer: bounds it, undoes a coding, hashes what is whole, writes it. */
class BodySink {
  readonly #deps: FetchRangeDeps;
  readonly #job: RangeJob;
  readonly #body: Body;
  readonly #host: string;
  readonly #control: Exchange;
  readonly #writer: BodyWriter;
  readonly #decoder: Gunzip | undefined;
  readonly #hash: Hash | undefined;
  readonly #limit: number;
  #fault: Error | undefined;

  constructor(deps: FetchRangeDeps, job: RangeJob, body: Body, host: string, control: Exchange) {
    this.#deps = deps;
    this.#job = job;
    this.#body = body;
    this.#host = host;
    this.#control = control;
    this.#limit = body.end ?? job.size ?? job.maxSize;
    const create = deps.createWriter ?? ((options: BodyWriterOptions) => new RangeWriter(options));
    this.#writer = create({
      path: job.path,
      start: body.start,
      wrote: (start, end) => deps.sink.tell('wrote', job.id, start, end),
      pause: () => control.pause(),
      resume: () => control.resume(),
    });
    if (body.whole) this.#hash = createHash('sha256');
    if (body.decode !== undefined) {
      const decoders = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress };
      this.#decoder = decoders[body.decode]();
      this.#decoder.on('data', (chunk: Buffer) => this.#store(chunk));
      this.#decoder.on('error', (error) => this.#fail(new DebtorrentError('MIRROR_PROTOCOL', error.message)));
    }
  }

  push(chunk: Buffer): void {
    this.#deps.received(this.#host, chunk.length);
    if (this.#fault !== undefined) return;
    if (this.#writer.error !== undefined) this.#fail(this.#writer.error);
    else if (this.#decoder === undefined) this.#store(chunk);
    else this.#decoder.write(chunk);
  }

  async finish(): Promise<void> {
    const decoder = this.#decoder;
    if (decoder !== undefined && this.#fault === undefined) {
      await new Promise<void>((resolve) => {
        decoder.once('close', resolve);
        decoder.end();
      });
    }
    await this.#writer.finish();
    if (this.#fault !== undefined) throw this.#fault;
  }

  outcome(): Hop {
    const { end } = this.#writer;
    const expected = this.#body.end;
    if (expected !== undefined && end < expected) {
      throw new DebtorrentError('MIRROR_TRUNCATED', `the mirror ended the file at ${end} of ${expected} bytes`);
    }
    const info = this.#body.whole ? { ...this.#body.info, size: end } : this.#body.info;
    const sha256 = this.#hash?.digest('hex') as Sha256 | undefined;
    return { outcome: { kind: 'done', info, end, ...(sha256 !== undefined && { sha256 }) } };
  }

  #store(chunk: Buffer): void {
    if (this.#writer.end + chunk.length > this.#limit) {
      const known = this.#body.end !== undefined || this.#job.size !== undefined;
      this.#fail(new DebtorrentError(known ? 'HASH_MISMATCH' : 'TOO_LARGE', `more than ${this.#limit} bytes came`));
      return;
    }
    this.#hash?.update(chunk);
    this.#writer.push(chunk);
  }

  #fail(error: Error): void {
    if (this.#fault !== undefined) return;
    this.#fault = error;
    this.#decoder?.destroy();
    this.#control.abort(error);
  }
}

function requestHeaders(job: RangeJob, userAgent: string): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity' };
  const whole = job.start === 0 && (job.end === undefined || job.end === job.size);
  if (!whole) {
    headers['range'] = `bytes=${job.start}-${job.end === undefined ? '' : job.end - 1}`;
    if (job.ifRange !== undefined) headers['if-range'] = job.ifRange;
  }
  if (job.revalidate?.etag !== undefined) headers['if-none-match'] = job.revalidate.etag;
  else if (job.revalidate?.lastModified !== undefined) headers['if-modified-since'] = job.revalidate.lastModified;
  return headers;
}

function redirect(status: number, headers: Headers, base: MirrorUrl): MirrorUrl | undefined {
  if (!REDIRECTS.has(status)) return undefined;
  const location = headers['location'];
  if (typeof location !== 'string' || !URL.canParse(location, base)) {
    throw new DebtorrentError('MIRROR_PROTOCOL', `a ${status} without a usable Location`);
  }
  const target = new URL(location, base);
  target.hash = '';
  if (target.username !== '' || target.password !== '') {
    throw new DebtorrentError('REDIRECT_REFUSED', 'redirected to an URL with a password');
  }
  if (base.startsWith('https:') && target.protocol === 'http:') {
    throw new DebtorrentError('REDIRECT_REFUSED', 'redirected from https to http');
  }
  try {
    return parseMirrorUrl(target.href);
  } catch (error) {
    throw new DebtorrentError('REDIRECT_REFUSED', `redirected to no usable URL: ${(error as Error).message}`);
  }
}

/** Errors of sockets, TLS, undici and the file system as codes of the table. */
function translate(error: unknown): DebtorrentError {
  if (error instanceof DebtorrentError) return error;
  const { code, message, cause } = error as NodeJS.ErrnoException;
  if (cause instanceof DebtorrentError) return cause;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new DebtorrentError('STORE_FULL', message);
    case 'EIO':
    case 'EROFS':
    case 'EACCES':
    case 'ENOENT':
      return new DebtorrentError('STORE_IO', message);
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
    case 'ETIMEDOUT':
      return new DebtorrentError('MIRROR_TIMEOUT', message);
    case 'UND_ERR_SOCKET':
    case 'ECONNRESET':
    case 'EPIPE':
      return new DebtorrentError('MIRROR_TRUNCATED', message);
    case undefined:
      return asDebtorrentError(error);
    default:
      return code.startsWith('HPE_') || code.startsWith('UND_ERR_')
        ? new DebtorrentError('MIRROR_PROTOCOL', message)
        : new DebtorrentError('MIRROR_UNREACHABLE', message);
  }
}
