/**
 * The gateway actor: takes the requests of APT and of people, finds out what each one asks for and has it answered.
 * Requests on one connection are worked on at once; node:http sends their answers in order (RFC 9112 section 9.3.2).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

import type { CatalogueUpdate } from '../core/archive/archive-state.ts';
import { asDebtorrentError, DebtorrentError, ERRORS } from '../core/errors.ts';
import { CONTROL_TARGET } from '../core/method/control.ts';
import { cameFrom } from '../core/http/via.ts';
import { shownTarget } from '../core/http/shown.ts';
import type { OwnNames } from '../core/http/target.ts';
import type { Logger } from '../core/logging.ts';
import type { Behaviour } from '../kernel/protocol.ts';
import { sendError } from './answer.ts';
import type { CatalogueView } from '../actors/catalogue-view.ts';
import { ClientExchange } from './exchange.ts';
import { shares } from './file-reader.ts';
import { endWith } from './last-answer.ts';
import type { MethodSessions } from './method/sessions.ts';
import type { Metrics } from './metrics.ts';
import type { MirrorFiles } from './mirror-files.ts';
import type { OwnPages } from './own-pages.ts';
import { checkRequest } from './request-check.ts';
import { TargetMemo } from './target-memo.ts';
import type { Tunnels } from './tunnel.ts';

export interface GatewayProtocol {
  /** The packages parser has adopted a Release or loaded an index. Replies when look-ups go by it. */
  catalogueChanged(update: CatalogueUpdate): boolean;
}

export interface GatewayDeps {
  readonly view: CatalogueView;
  readonly files: MirrorFiles;
  readonly pages: OwnPages;
  readonly tunnels: Tunnels;
  readonly sessions: MethodSessions;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Whoever else goes by the catalogue. */
  catalogueChanged?(update: CatalogueUpdate): void;
  own(): OwnNames;
  /** What requests of this daemon have in their Via. */
  readonly via?: string;
}

export interface Gateway {
  readonly behaviour: Behaviour<GatewayProtocol>;
  request(req: IncomingMessage, res: ServerResponse): void;
  connect(req: IncomingMessage, socket: Duplex, early: Buffer): void;
  /** What came was no request to work on, and has been answered so. */
  refused(error: DebtorrentError): void;
  /** Resolves when no request is being answered any more. */
  idle(): Promise<void>;
  /** Ends what is still being answered. */
  abort(): void;
}

export function createGateway(deps: GatewayDeps): Gateway {
  const { files, pages, tunnels, sessions, metrics, log } = deps;
  const active = new Set<ClientExchange>();
  const connections = new WeakMap<Duplex, Set<ClientExchange>>();
  const targets = new TargetMemo(deps.own);
  let onIdle: (() => void) | undefined;

  function finished(client: ClientExchange): void {
    if (!active.delete(client)) return;
    const { res, source, bytes, target, errorCode } = client;
    metrics.request(res.statusCode, source, bytes, client.firstByteMs);
    const whole = res.writableFinished;
    const ms = Math.round(performance.now() - client.startedAt);
    const { method } = client.req;
    const fields = { method, target, status: res.statusCode, source, bytes, ms };
    if (errorCode !== undefined) log.info({ ...fields, code: errorCode, reason: client.reason }, 'request failed');
    else if (whole) log.info(fields, 'request');
    else log.info(fields, client.gone ? 'client left' : 'request');
    if (active.size === 0) onIdle?.();
  }

  /** Undefined when the answer has been sent already. */
  function answer(client: ClientExchange): Promise<void> | undefined {
    const { req } = client;
    checkRequest(req);
    const target = targets.parse(req.method ?? '', req.url ?? '', req.headers.host);
    switch (target.kind) {
      case 'own':
        return pages.serve(client, target.path, target.query);
      case 'mirror':
        if (deps.via !== undefined && cameFrom(client.header('via'), deps.via)) {
          throw new DebtorrentError('BAD_TARGET', 'the request comes from this daemon itself');
        }
        client.target = target.url;
        client.bare = target.bare === true;
        return files.serveFromMemory(client, target.url) ? undefined : files.serve(client, target.url);
      case 'tunnel':
        throw new DebtorrentError('BAD_REQUEST', 'CONNECT is no request for a file');
    }
  }

  function ended(client: ClientExchange): void {
    client.left();
    const clients = connections.get(client.req.socket);
    clients?.delete(client);
    for (const next of clients ?? []) {
      next.isNext();
      break;
    }
    finished(client);
  }

  /** node:http says nothing to answers that wait behind others when their connection closes. */
  function onConnection(client: ClientExchange): void {
    const { socket } = client.req;
    let clients = connections.get(socket);
    if (clients === undefined) {
      connections.set(socket, (clients = new Set()));
      socket.once('close', () => {
        for (const each of connections.get(socket) ?? []) ended(each);
      });
    }
    clients.add(client);
    if (clients.size === 1) client.isNext();
  }

  function failed(client: ClientExchange, error: unknown): void {
    const { res, target } = client;
    const failure = asDebtorrentError(error);
    if (failure.code === 'INTERNAL') log.error({ target, err: error }, 'request failed');
    client.errorCode = failure.code;
    client.reason = failure.message;
    if (client.gone) return;
    if (res.headersSent) {
      log.warn({ target, code: failure.code, reason: failure.message }, 'answer ends short');
      client.cutShort();
    } else {
      client.firstByteMs = performance.now() - client.startedAt;
      sendError(res, failure);
    }
  }

  function refused(error: DebtorrentError, fields: object = {}): void {
    const { code, message: reason } = error;
    const { status } = ERRORS[code];
    metrics.request(status, undefined, 0, undefined);
    log.info({ ...fields, status, code, reason }, 'request failed');
  }

  function inShare(client: ClientExchange): void {
    const wait = shares.first();
    if (wait === undefined) start(client);
    else void wait.then(() => start(client));
  }

  function start(client: ClientExchange): void {
    if (client.gone) return;
    try {
      answer(client)?.catch((error: unknown) => failed(client, error));
    } catch (error) {
      failed(client, error);
    }
  }

  return {
    behaviour: {
      catalogueChanged(update) {
        deps.catalogueChanged?.(update);
        deps.view.update(update);
        return true;
      },
    },
    request(req, res) {
      const client = new ClientExchange(req, res);
      client.target = shownTarget(req.url ?? '');
      active.add(client);
      metrics.arrived();
      onConnection(client);
      res.on('close', () => ended(client));
      const wait = shares.crowded ? client.next() : undefined;
      if (wait === undefined) inShare(client);
      else void wait.then(() => inShare(client));
    },
    connect(req, socket, early) {
      try {
        checkRequest(req);
        if (req.url === CONTROL_TARGET) {
          sessions.open(socket, early);
          return;
        }
        const target = targets.parse('CONNECT', req.url ?? '', req.headers.host);
        if (target.kind !== 'tunnel') throw new DebtorrentError('BAD_TARGET', 'CONNECT needs HOST:PORT');
        tunnels.open(socket, target.host, target.port, early);
      } catch (error) {
        const failure = asDebtorrentError(error);
        refused(failure, { method: 'CONNECT', target: shownTarget(req.url ?? '') });
        endWith(socket, failure);
      }
    },
    refused,
    idle: () => (active.size === 0 ? Promise.resolve() : new Promise((resolve) => (onIdle = resolve))),
    abort() {
      for (const client of active) client.cutShort();
      tunnels.closeAll();
      sessions.closeAll();
    },
  };
}
