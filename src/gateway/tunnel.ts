/** CONNECT to allowed hosts (RFC 9110 section 9.3.6): what APT uses for https mirrors behind an http proxy. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { asDebtorrentError, DebtorrentError, ERRORS } from '../core/errors.ts';
import { formatAuthority } from '../core/http/authority.ts';
import type { HostRules } from '../core/host-rules.ts';
import type { Logger } from '../core/logging.ts';
import { connectAny } from '../actors/http-backup/connect-any.ts';
import { checkHost, guardedLookup } from '../actors/http-backup/dns-guard.ts';
import { endIn, endWith, LINGER_MS } from './last-answer.ts';

export interface TunnelDeps {
  readonly rules: HostRules;
  readonly log: Logger;
  /** A request for a tunnel was answered, so many milliseconds after it came. */
  answered(status: number, ms: number): void;
}

interface Asked {
  readonly target: string;
  /** On the clock of `performance`. */
  readonly startedAt: number;
  /** What the client sent already. */
  readonly early: Buffer;
}

const MAX_TUNNELS = 512;
const CONNECT_MS = 10_000;
const IDLE_MS = 300_000;
/** What came before the host closed the tunnel is sent for this long. */
const LEFT_MS = 60_000;

export class Tunnels {
  readonly #deps: TunnelDeps;
  /** What ends each. */
  readonly #open = new Set<() => void>();

  constructor(deps: TunnelDeps) {
    this.#deps = deps;
  }

  /** Connects the client to the host, or answers why not; `early` is what the client sent already. */
  open(client: Duplex, host: string, port: number, early: Buffer): void {
    const target = formatAuthority(host, port);
    const startedAt = performance.now();
    client.on('error', () => client.destroy());
    try {
      checkHost(this.#deps.rules, host, port, 'tunnel');
      if (this.#open.size >= MAX_TUNNELS) throw new DebtorrentError('OVERLOADED', 'too many tunnels are open');
    } catch (error) {
      this.#refuse(client, target, startedAt, asDebtorrentError(error));
      return;
    }
    const lookup = guardedLookup(this.#deps.rules, port);
    const giveUp = connectAny({ host, port, lookup, timeoutMs: CONNECT_MS }, (...[error, upstream]) => {
      over();
      if (error !== null) return this.#refuse(client, target, startedAt, asUnreachable(error, target));
      this.#deps.answered(200, performance.now() - startedAt);
      this.#join(client, upstream, { target, startedAt, early });
    });
    const leave = () => {
      over();
      giveUp();
      client.destroy();
    };
    const over = () => {
      this.#open.delete(leave);
      client.off('close', leave);
    };
    this.#open.add(leave);
    client.on('close', leave);
  }

  closeAll(): void {
    for (const close of this.#open) close();
  }

  #join(client: Duplex, upstream: Socket, { target, startedAt, early }: Asked): void {
    const close = () => upstream.destroy();
    this.#open.add(close);
    upstream.setTimeout(IDLE_MS, close);
    upstream.on('error', close);
    upstream.on('close', () => {
      this.#open.delete(close);
      const { bytesRead: down, bytesWritten: up } = upstream;
      const ms = Math.round(performance.now() - startedAt);
      this.#deps.log.info({ method: 'CONNECT', target, status: 200, up, down, ms }, 'tunnel closed');
      // The last of what came may wait for the client still, and has to be sent (RFC 9110 section 9.3.6).
      if (upstream.readableEnded) endAfterLast(client);
      else client.destroy();
    });
    client.on('close', close);
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (early.length > 0) upstream.write(early);
    client.pipe(upstream);
    upstream.pipe(client);
  }

  #refuse(client: Duplex, target: string, startedAt: number, error: DebtorrentError): void {
    const { code, message: reason } = error;
    const { status } = ERRORS[code];
    const ms = Math.round(performance.now() - startedAt);
    this.#deps.answered(status, ms);
    this.#deps.log.info({ method: 'CONNECT', target, status, ms, code, reason }, 'tunnel refused');
    endWith(client, error);
  }
}

/** Once it has been sent all, the client has as long as after any last answer. */
function endAfterLast(client: Duplex): void {
  if (client.writableFinished) return endIn(client, LINGER_MS);
  endIn(client, LEFT_MS);
  client.once('finish', () => endIn(client, LINGER_MS));
}

function asUnreachable(error: Error, target: string): DebtorrentError {
  return error instanceof DebtorrentError
    ? error
    : new DebtorrentError('MIRROR_UNREACHABLE', `${target}: ${error.message}`);
}
