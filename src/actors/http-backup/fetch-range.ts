/**
 * Carries out one range job: asks the mirror, follows redirects inside with each hop checked, writes the body into
 * the partial file and says how it ended. One try: what to do after a failure is the transfer's decision.
 */
import type { Cancellation } from '../../core/cancellation.ts';
import type { DatedClock } from '../../core/clock.ts';
import { DebtorrentError } from '../../core/errors.ts';
import { mirrorRequest, type MirrorRequest } from '../../core/http/mirror-url.ts';
import type { HostRules } from '../../core/host-rules.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import type { TokenBucket } from '../../core/swarm/token-bucket.ts';
import { isWhole, type RangeJob, type RangeOutcome, type SourceSinkProtocol } from '../source.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import { readAnswer } from './answer.ts';
import { BodySink } from './body-sink.ts';
import { checkHost } from './dns-guard.ts';
import { FirstByte } from './first-byte.ts';
import type { Exchange, Exchanger, ExchangeHandler } from './exchange.ts';
import { isRefused, isStaleConnection, mirrorError, TRANSIENT_CODES } from './mirror-error.ts';
import { RangeWriter, type BodyWriter, type BodyWriterOptions } from './range-writer.ts';
import { addsSlash, redirectOf } from './redirect.ts';
import type { MirrorTimeouts } from './timeouts.ts';

/** A connection to a mirror for one exchange. */
export interface Slot {
  readonly exchanger: Exchanger;
  /** What was asked for comes. */
  served?(): void;
  /** The mirror refused the connection, or with `answered` the file; true when it makes sense to wait for another place. */
  refused?(answered: boolean): boolean;
  /** The exchange has ended. */
  leave(): void;
}

export interface FetchRangeDeps extends Pick<DatedClock, 'now' | 'date'> {
  /** Waits until one more request may be under way at that mirror; for each hop, as each is another mirror's. */
  slot(request: MirrorRequest): Promise<Slot>;
  readonly rules: HostRules;
  readonly sink: Pick<ActorRef<SourceSinkProtocol>, 'tell'>;
  readonly userAgent: string;
  readonly via?: string;
  /** For jobs that others can do; without these there is no bound on all of one. */
  readonly timeouts?: MirrorTimeouts;
  /** Where bodies go; into the job's partial file unless given. */
  readonly createWriter?: (options: BodyWriterOptions) => BodyWriter;
  /** On bytes of bodies that were accepted. */
  readonly limit?: TokenBucket | undefined;
  /** Counts bytes of bodies by mirror; `good` are those of an answer that was of use. */
  received(host: string, bytes: number, good: boolean): void;
}

const MAX_REDIRECTS = 5;
/** Bodies of errors and redirects up to this size, in bytes, are read and dropped, so that the connection is kept. */
const DRAIN_BYTES = 64 * 1024;
/** One that has not come to its end after this time, in milliseconds, only keeps a connection from others. */
const DRAIN_MS = 1_000;

/** Answers that also stand for too many connections at once. */
const REFUSALS = new Set([429, 503]);

/** Followed inside, the links of its listing would lead one level too high. */
const DIRECTORY: RangeOutcome = {
  kind: 'failed',
  code: 'DIRECTORY',
  message: 'the mirror has a directory there',
  transient: false,
};

type Hop = { readonly location: MirrorUrl } | { readonly again: true } | { readonly outcome: RangeOutcome };

/** What a job came to, and whose doing that is: the last one that was asked. */
export interface Fetched {
  readonly outcome: RangeOutcome;
  readonly url: MirrorUrl;
}

export async function fetchRange(deps: FetchRangeDeps, job: RangeJob, cancellation: Cancellation): Promise<Fetched> {
  const first = new FirstByte(job, deps.timeouts);
  const { outcome, url } = await followed(deps, job, cancellation, first);
  first.stop();
  return { outcome: outcome.kind === 'failed' ? { ...outcome, silentMs: first.silentMs } : outcome, url };
}

async function followed(
  deps: FetchRangeDeps,
  job: RangeJob,
  cancellation: Cancellation,
  first: FirstByte,
): Promise<Fetched> {
  let url = job.url;
  let before = url;
  try {
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      let hop = await oneHop(deps, job, url, cancellation, first);
      while ('again' in hop) hop = await oneHop(deps, job, url, cancellation, first);
      if ('outcome' in hop) return { outcome: naming(hop.outcome, job, url), url };
      before = url;
      url = hop.location;
    }
    return { outcome: redirectRefused(`more than ${MAX_REDIRECTS} redirects`), url: before };
  } catch (error) {
    const { code, message } = mirrorError(error);
    if (url !== job.url && (code === 'HOST_NOT_ALLOWED' || code === 'ADDRESS_NOT_ALLOWED')) {
      return { outcome: naming(redirectRefused(message), job, url), url: before };
    }
    const transient = TRANSIENT_CODES.has(code) || code === 'OVERLOADED';
    return { outcome: naming({ kind: 'failed', code, message, transient }, job, url), url };
  }
}

function redirectRefused(message: string): RangeOutcome {
  return { kind: 'failed', code: 'REDIRECT_REFUSED', message, transient: false };
}

/** Says where redirects led to, if what was there failed. */
function naming(outcome: RangeOutcome, job: RangeJob, url: MirrorUrl): RangeOutcome {
  if (outcome.kind !== 'failed' || url === job.url) return outcome;
  return { ...outcome, message: `redirected to ${url}: ${outcome.message}` };
}

async function oneHop(
  deps: FetchRangeDeps,
  job: RangeJob,
  url: MirrorUrl,
  cancellation: Cancellation,
  first: FirstByte,
): Promise<Hop> {
  const request = mirrorRequest(url);
  checkHost(deps.rules, request.host, request.port);
  first.queued();
  const { exchanger, served, refused, leave } = await deps.slot(request);
  // Made when it is needed: an error costs its stack trace.
  const cancelled = () => new DebtorrentError('CANCELLED', 'the job was cancelled');
  const late = () => new DebtorrentError('MIRROR_TIMEOUT', 'the mirror took too long to begin with the file');
  const endedWithoutHead = () => new DebtorrentError('MIRROR_PROTOCOL', 'the answer ended before its headers');
  return new Promise<Hop>((resolve, reject) => {
    let exchange: Exchange | undefined;
    let body: BodySink | undefined;
    let answered = false;
    let again = false;
    let drained = 0;
    let draining: NodeJS.Timeout | undefined;
    let settled = false;
    const settle = (result: Hop | Error) => {
      if (settled) return;
      settled = true;
      forget();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    /** Settles when what was written is in the file. */
    const finish = async (sink: BodySink, fault: Error | undefined) => {
      try {
        await sink.finish();
        settle(fault ?? { outcome: sink.outcome() });
      } catch (error) {
        settle(fault ?? (error as Error));
      }
    };
    const giveUp = (error: Error) => {
      exchange?.abort(error);
      if (body === undefined) settle(error);
      else void finish(body, error);
    };
    const drop = () => exchange?.abort(new DebtorrentError('CANCELLED', 'not wanted'));
    /** Settles without the body of the answer, which is read to its end if that is near. */
    const withoutBody = (hop: Hop, length: unknown) => {
      settle(hop);
      if (Number(length ?? 0) > DRAIN_BYTES) drop();
      else draining = setTimeout(drop, DRAIN_MS);
    };
    const forget = cancellation.listen(() => giveUp(cancelled()));
    const handler: ExchangeHandler = {
      head(status, headers) {
        answered = true;
        const location = redirectOf(status, headers, url);
        const length = headers['content-length'];
        if (location !== undefined) {
          deps.received(request.host, 0, true);
          withoutBody(addsSlash(url, location) ? { outcome: DIRECTORY } : { location }, length);
          return;
        }
        // When it says how long to wait, that is for the transfer to do.
        if (REFUSALS.has(status) && headers['retry-after'] === undefined && refused?.(true) === true) {
          withoutBody({ again: true }, length);
          return;
        }
        const answer = readAnswer(job, status, headers, deps.date());
        if ('outcome' in answer) {
          withoutBody(answer, job.headersOnly === true ? 0 : length);
          return;
        }
        if (job.headersOnly === true) {
          withoutBody({ outcome: { kind: 'done', info: answer.body.info, end: 0 } }, 0);
          return;
        }
        served?.();
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
          spend: (bytes) => deps.limit?.spend(bytes, deps.now()) ?? 0,
        });
        deps.sink.tell('started', job.id, answer.body.info, url);
      },
      data(chunk) {
        deps.received(request.host, chunk.length, body !== undefined);
        if (body !== undefined) {
          first.came();
          body.push(chunk);
          return;
        }
        drained += chunk.length;
        if (drained > DRAIN_BYTES) drop();
      },
      end() {
        over(undefined);
      },
      error(error) {
        // Nothing came over what may have been a connection that the mirror had just closed.
        if (!answered && !again && !settled && isStaleConnection(error)) {
          again = true;
          queueMicrotask(ask);
        } else if (!answered && isRefused(error) && refused?.(false) === true) {
          leave();
          settle({ again: true });
        } else {
          over(error);
        }
      },
    };
    /** The connection is free, or gone: the next one may have its place when what came is written. */
    const over = (fault: Error | undefined) => {
      clearTimeout(draining);
      if (body !== undefined) {
        void finish(body, fault).then(leave);
        return;
      }
      leave();
      settle(fault ?? endedWithoutHead());
    };
    const ask = () => {
      try {
        if (cancellation.cancelled) throw cancelled();
        if (first.expired) throw late();
        first.asked(() => giveUp(late()));
        const method = job.headersOnly === true ? 'HEAD' : 'GET';
        const headers = requestHeaders(job, deps);
        exchange = exchanger.open({ method, request, headers, again: job.again }, handler);
      } catch (error) {
        over(error as Error);
      }
    };
    ask();
  });
}

type Introduced = Pick<FetchRangeDeps, 'userAgent' | 'via'>;

function requestHeaders(job: RangeJob, { userAgent, via }: Introduced): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity' };
  if (via !== undefined) headers['via'] = via;
  if (job.reload === true) headers['cache-control'] = 'max-age=0';
  if (!isWhole(job)) {
    headers['range'] = `bytes=${job.start}-${job.end === undefined ? '' : job.end - 1}`;
    if (job.ifRange !== undefined) headers['if-range'] = job.ifRange;
  }
  if (job.revalidate?.etag !== undefined) headers['if-none-match'] = job.revalidate.etag;
  else if (job.revalidate?.lastModified !== undefined) headers['if-modified-since'] = job.revalidate.lastModified;
  return headers;
}
