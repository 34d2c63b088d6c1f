/**
 * One HTTP/1.1 request to a mirror and its answer, streamed. undici does the work; a second parser stands in for
 * answers with both Content-Length and Transfer-Encoding, which undici rightly refuses but which some servers
 * (aptwebserver among them) send: it takes them only where there is exactly one of each and chunked is the one coding.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';

import { Agent, type Dispatcher } from 'undici';

import { DebtorrentError } from '../../core/errors.ts';
import type { HostRules } from '../../core/host-rules.ts';
import type { MirrorRequest } from '../../core/http/mirror-url.ts';
import { soon } from '../../core/soon.ts';
import type { Headers } from './answer.ts';
import { createConnector } from './connector.ts';
import { guardedLookup } from './dns-guard.ts';
import { timeoutsFor, type MirrorTimeouts } from './timeouts.ts';

export interface ExchangeHandler {
  /** Status and headers (names in lower case). Throwing ends the exchange with that error. */
  head(status: number, headers: Headers): void;
  /** The chunk's memory is used again after the call. */
  data(chunk: Buffer): void;
  /** The body is complete as far as HTTP can tell. */
  end(): void;
  /** Called at most once, instead of `end`. */
  error(error: Error): void;
}

export interface Exchange {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

export interface ExchangeOptions {
  readonly method: 'GET' | 'HEAD';
  readonly request: MirrorRequest;
  readonly headers: Record<string, string>;
  /** Of the one that was asked before nothing came in time. */
  readonly again?: boolean | undefined;
}

export interface Exchanger {
  open(options: ExchangeOptions, handler: ExchangeHandler): Exchange;
  close(): Promise<void>;
}

export interface ExchangerDeps {
  readonly rules: HostRules;
  /** Connections to one mirror. */
  readonly connections: number;
  readonly timeouts: MirrorTimeouts;
  /** PEM certificates that the system trusts besides Node's own. */
  readonly ca?: (() => string[]) | undefined;
}

/** Mirrors whose connections are kept; those of the one that was not used for longest are closed for a new one. */
const MAX_ORIGINS = 128;

export function createExchanger(deps: ExchangerDeps): Exchanger {
  const { rules, connections, timeouts } = deps;
  const agents = new Map<string, Agent>();
  /** Origins that have answered with both lengths. */
  const lenient = new Set<string>();
  let closed = false;

  let certificates: string[] | undefined;
  const caFor = ({ scheme }: MirrorRequest) =>
    scheme === 'https' && deps.ca !== undefined ? { ca: (certificates ??= deps.ca()) } : {};

  function agentFor(request: MirrorRequest): Agent {
    const { origin, port } = request;
    let agent = agents.get(origin);
    agents.delete(origin);
    if (agent === undefined) {
      const [oldest] = agents;
      if (oldest !== undefined && agents.size >= MAX_ORIGINS) {
        agents.delete(oldest[0]);
        lenient.delete(oldest[0]);
        // What is under way there goes on to its end.
        oldest[1].close().catch(() => undefined);
      }
      const lookup = guardedLookup(rules, port);
      agent = new Agent({
        connections,
        pipelining: 1,
        keepAliveTimeout: 30_000,
        connect: createConnector({ timeout: timeouts.connectMs, lookup, ...caFor(request) }),
      });
    }
    agents.set(origin, agent);
    return agent;
  }

  function openStrict(options: ExchangeOptions, handler: ExchangeHandler): Exchange {
    const { request, method, headers, again } = options;
    const { headersMs: headersTimeout, stallMs: bodyTimeout } = timeoutsFor(timeouts, again);
    let controller: Dispatcher.DispatchController | undefined;
    let aborted: Error | undefined;
    let fallback: Exchange | undefined;
    let started = false;
    let over = false;
    let paused = false;
    let began = 0;
    let late: NodeJS.Timeout | undefined;
    agentFor(request).dispatch(
      { origin: request.origin, path: request.target, method, headers, headersTimeout, bodyTimeout },
      {
        onRequestStart(control) {
          controller = control;
          began = performance.now();
          if (aborted !== undefined) control.abort(aborted);
        },
        onResponseStart(control, status, received) {
          if (status < 200) {
            // For undici each of them is an answer in time.
            const left = headersTimeout - (performance.now() - began);
            late ??= setTimeout(() => control.abort(noHeaders()), left);
            return;
          }
          clearTimeout(late);
          started = true;
          try {
            handler.head(status, received);
          } catch (error) {
            control.abort(error as Error);
          }
        },
        onResponseData: (_control, chunk) => handler.data(chunk),
        onResponseEnd() {
          over = true;
          handler.end();
        },
        onResponseError(_control, error) {
          clearTimeout(late);
          over = true;
          if (!started && aborted === undefined && isDoubleLength(error)) {
            lenient.add(request.origin);
            over = false;
            fallback = openLenient(options, handler, guardedLookup(rules, request.port), timeouts, caFor(request));
            return;
          }
          handler.error(error);
        },
      },
    );
    return {
      pause() {
        paused = true;
        (fallback ?? controller)?.pause();
      },
      // Not at once: undici's parser must not be entered from within a callback of another answer's parser, and data
      // of one answer can be what drains the client of another (node:http tells a connection's first answer).
      resume() {
        paused = false;
        soon(() => {
          if (!paused && !over) (fallback ?? controller)?.resume();
        });
      },
      abort(reason) {
        aborted = reason;
        (fallback ?? controller)?.abort(reason);
      },
    };
  }

  return {
    open(options, handler) {
      const { origin, port } = options.request;
      if (closed) throw new DebtorrentError('STOPPING', 'the daemon is stopping');
      if (!lenient.has(origin)) return openStrict(options, handler);
      return openLenient(options, handler, guardedLookup(rules, port), timeouts, caFor(options.request));
    },
    async close() {
      closed = true;
      const open = [...agents.values()];
      agents.clear();
      await Promise.all(open.map((agent) => agent.destroy()));
    },
  };
}

function noHeaders(): DebtorrentError {
  return new DebtorrentError('MIRROR_TIMEOUT', 'the headers of the answer did not come to an end in time');
}

function isDoubleLength(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return (
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' ||
    code === 'HPE_INVALID_TRANSFER_ENCODING' ||
    code === 'HPE_UNEXPECTED_CONTENT_LENGTH'
  );
}

function openLenient(
  { request, method, headers, again }: ExchangeOptions,
  handler: ExchangeHandler,
  lookup: LookupFunction,
  timeouts: MirrorTimeouts,
  ca: { readonly ca?: string[] },
): Exchange {
  let ended = false;
  let paused = false;
  // What is silent is noticed earlier; this is for heads and interim answers without an end.
  const late = setTimeout(() => fail(noHeaders()), timeouts.connectMs + timeouts.headersMs);
  const fail = (error: Error) => {
    if (ended) return;
    ended = true;
    clearTimeout(late);
    outgoing.destroy();
    handler.error(error);
  };
  let incoming: IncomingMessage | undefined;
  const send = request.scheme === 'https' ? httpsRequest : httpRequest;
  // The mirror has answered already: connecting to one of its addresses takes as long as it takes.
  const patient = { autoSelectFamilyAttemptTimeout: Math.ceil(timeouts.connectMs / 3) };
  const outgoing = send({
    host: request.host,
    port: request.port,
    path: request.target,
    method,
    headers: { ...headers, host: request.origin.replace(/^https?:\/\//, '') },
    lookup,
    agent: false,
    insecureHTTPParser: true,
    timeout: timeoutsFor(timeouts, again).stallMs,
    ...patient,
    ...ca,
  });
  outgoing.on('timeout', () => {
    if (!paused) fail(new DebtorrentError('MIRROR_TIMEOUT', 'the mirror stalled'));
  });
  outgoing.on('error', fail);
  outgoing.on('response', (response) => {
    incoming = response;
    clearTimeout(late);
    const ambiguous = ambiguity(response.rawHeaders);
    if (ambiguous !== undefined) {
      fail(new DebtorrentError('MIRROR_PROTOCOL', ambiguous));
      return;
    }
    const length = response.headers['content-length'];
    let bytes = 0;
    try {
      handler.head(response.statusCode ?? 0, response.headers);
    } catch (error) {
      fail(error as Error);
      return;
    }
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      handler.data(chunk);
    });
    response.on('error', fail);
    response.on('end', () => {
      if (!response.complete || (length !== undefined && method === 'GET' && Number(length) !== bytes)) {
        fail(new DebtorrentError('MIRROR_TRUNCATED', `${bytes} bytes came, Content-Length is ${length}`));
      } else if (!ended) {
        ended = true;
        handler.end();
      }
    });
    response.on('close', () => fail(new DebtorrentError('MIRROR_TRUNCATED', 'the mirror closed the connection')));
  });
  outgoing.end();
  return {
    pause() {
      paused = true;
      incoming?.pause();
    },
    resume() {
      paused = false;
      incoming?.resume();
    },
    abort: (reason) => fail(reason),
  };
}

/** Both framings may stand together only if each stands once and chunked is the only coding (RFC 9112 section 6.3). */
function ambiguity(rawHeaders: readonly string[]): string | undefined {
  const values = (name: string) =>
    rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
  const lengths = values('content-length');
  const codings = values('transfer-encoding');
  if (lengths.length > 1 || codings.length > 1) return 'more than one Content-Length or Transfer-Encoding';
  if (lengths.some((value) => !/^\d{1,16}$/.test(value))) return 'Content-Length is no number';
  if (codings.some((value) => value.trim().toLowerCase() !== 'chunked')) return 'a transfer coding other than chunked';
  return undefined;
}
