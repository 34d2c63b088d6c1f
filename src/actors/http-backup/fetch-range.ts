/**
 * Carries out one range job: asks the mirror, follows redirects inside with each hop checked, writes the body into
 * the partial file and says how it ended. One try: what to do after a failure is the transfer's decision.
 */
import type { Cancellation } from '../../core/cancellation.ts';
import { DebtorrentError } from '../../core/errors.ts';
import { mirrorRequest } from '../../core/http/mirror-url.ts';
import type { HostRules } from '../../core/host-rules.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import { isWhole, type RangeJob, type RangeOutcome, type SourceSinkProtocol } from '../source.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import { readAnswer } from './answer.ts';
import { BodySink } from './body-sink.ts';
import { checkHost } from './dns-guard.ts';
import type { Exchange, Exchanger } from './exchange.ts';
import { isStaleConnection, mirrorError, TRANSIENT_CODES } from './mirror-error.ts';
import { RangeWriter, type BodyWriter, type BodyWriterOptions } from './range-writer.ts';
import { redirectOf } from './redirect.ts';

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
/** Bodies of errors and redirects up to this size, in bytes, are read and dropped, so that the connection is kept. */
const DRAIN_BYTES = 64 * 1024;

/** Nothing of an answer came over what may have been a connection that the mirror had just closed. */
class StaleConnection extends Error {}

type Hop = { readonly location: MirrorUrl } | { readonly outcome: RangeOutcome };

export async function fetchRange(
  deps: FetchRangeDeps,
  job: RangeJob,
  cancellation: Cancellation,
): Promise<RangeOutcome> {
  let url = job.url;
  try {
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const hop = await oneHop(deps, job, url, cancellation).catch((error: unknown) => {
        if (!(error instanceof StaleConnection)) throw error;
        return oneHop(deps, job, url, cancellation);
      });
      if ('outcome' in hop) return hop.outcome;
      url = hop.location;
    }
    throw new DebtorrentError('REDIRECT_REFUSED', `more than ${MAX_REDIRECTS} redirects`);
  } catch (error) {
    const { code, message } = mirrorError(error instanceof StaleConnection ? error.cause : error);
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

async function oneHop(deps: FetchRangeDeps, job: RangeJob, url: MirrorUrl, cancellation: Cancellation): Promise<Hop> {
  const request = mirrorRequest(url);
  checkHost(deps.rules, request.host, request.port);
  // Made when it is needed: an error costs its stack trace.
  const cancelled = () => new DebtorrentError('CANCELLED', 'the job was cancelled');
  if (cancellation.cancelled) throw cancelled();
  return new Promise<Hop>((resolve, reject) => {
    let exchange: Exchange | undefined;
    let body: BodySink | undefined;
    let answered = false;
    let drained = 0;
    let settled = false;
    const settle = (result: Hop | Error) => {
      if (settled) return;
      settled = true;
      forget();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    /** Settles when what was written is in the file. */
    const finish = (sink: BodySink, fault: Error | undefined) => {
      sink
        .finish()
        .then(() => settle(fault ?? { outcome: sink.outcome() }))
        .catch((error: unknown) => settle(fault ?? (error as Error)));
    };
    const cancel = () => {
      exchange?.abort(cancelled());
      if (body === undefined) settle(cancelled());
      else finish(body, cancelled());
    };
    /** Settles without the body of the answer, which is read to its end if that is near. */
    const withoutBody = (hop: Hop, length: unknown) => {
      settle(hop);
      if (Number(length ?? 0) > DRAIN_BYTES) exchange?.abort(new DebtorrentError('CANCELLED', 'not wanted'));
    };
    const forget = cancellation.listen(cancel);

    exchange = deps.exchanger.open(
      { method: job.headersOnly === true ? 'HEAD' : 'GET', request, headers: requestHeaders(job, deps.userAgent) },
      {
        head(status, headers) {
          answered = true;
          const location = redirectOf(status, headers, url);
          const length = headers['content-length'];
          if (location !== undefined) {
            withoutBody({ location }, length);
            return;
          }
          const answer = readAnswer(job, status, headers, deps.now());
          if ('outcome' in answer) {
            withoutBody(answer, job.headersOnly === true ? 0 : length);
            return;
          }
          if (job.headersOnly === true) {
            withoutBody({ outcome: { kind: 'done', info: answer.body.info, end: 0 } }, 0);
            return;
          }
          body = new BodySink({
            job,
            body: answer.body,
            control: {
              pause: () => exchange?.pause(),
              resume: () => exchange?.resume(),
              abort: (error) => exchange?.abort(error),
            },
            createWriter: deps.createWriter ?? ((options) => new RangeWriter(options)),
            wrote: (start, end) => deps.sink.tell('wrote', job.id, start, end),
          });
          deps.sink.tell('started', job.id, answer.body.info);
        },
        data(chunk) {
          deps.received(request.host, chunk.length);
          if (body !== undefined) {
            body.push(chunk);
            return;
          }
          drained += chunk.length;
          if (drained > DRAIN_BYTES) exchange?.abort(new DebtorrentError('CANCELLED', 'not wanted'));
        },
        end() {
          if (body === undefined) settle(new DebtorrentError('MIRROR_PROTOCOL', 'the answer ended before its headers'));
          else finish(body, undefined);
        },
        error(error) {
          if (body !== undefined) finish(body, error);
          else if (!answered && isStaleConnection(error)) settle(new StaleConnection('', { cause: error }));
          else settle(error);
        },
      },
    );
  });
}

function requestHeaders(job: RangeJob, userAgent: string): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity' };
  if (!isWhole(job)) {
    headers['range'] = `bytes=${job.start}-${job.end === undefined ? '' : job.end - 1}`;
    if (job.ifRange !== undefined) headers['if-range'] = job.ifRange;
  }
  if (job.revalidate?.etag !== undefined) headers['if-none-match'] = job.revalidate.etag;
  else if (job.revalidate?.lastModified !== undefined) headers['if-modified-since'] = job.revalidate.lastModified;
  return headers;
}
