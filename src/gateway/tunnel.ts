/** CONNECT to allowed hosts (RFC 9110 section 9.3.6): what APT uses for https mirrors behind an http proxy. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { DebtorrentError } from '../core/errors.ts';
import { formatAuthority } from '../core/http/authority.ts';
import type { HostRules } from '../core/host-rules.ts';
import type { Logger } from '../core/logging.ts';
import { connectAny } from '../actors/http-backup/connect-any.ts';
import { checkHost, guardedLookup } from '../actors/http-backup/dns-guard.ts';
import { endIn, endWith } from './last-answer.ts';

export interface TunnelDeps {
  readonly rules: HostRules;
  readonly log: Logger;
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
    client.on('error', () => client.destroy());
    try {
      checkHost(this.#deps.rules, host, port, 'tunnel');
      if (this.#open.size >= MAX_TUNNELS) throw new DebtorrentError('OVERLOADED', 'too many tunnels are open');
    } catch (error) {
      this.#refuse(client, target, error as DebtorrentError);
      return;
    }
    const lookup = guardedLookup(this.#deps.rules, port);
    const giveUp = connectAny({ host, port, lookup, timeoutMs: CONNECT_MS }, (...[error, upstream]) => {
      over();
      if (error === null) this.#join(client, upstream, target, early);
      else this.#refuse(client, target, asUnreachable(error, target));
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

  #join(client: Duplex, upstream: Socket, target: string, early: Buffer): void {
    const startedAt = performance.now();
    const close = () => upstream.destroy();
    this.#open.add(close);
    upstream.setTimeout(IDLE_MS, close);
    upstream.on('error', close);
    upstream.on('close', () => {
      this.#open.delete(close);
      const { bytesRead: down, bytesWritten: up } = upstream;
      const ms = Math.round(performance.now() - startedAt);
      this.#deps.log.info({ method: 'CONNECT', target, up, down, ms }, 'tunnel closed');
      // The last of what came may wait for the client still, and has to be sent (RFC 9110 section 9.3.6).
      if (upstream.readableEnded) endIn(client, LEFT_MS);
      else client.destroy();
    });
    client.on('close', close);
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (early.length > 0) upstream.write(early);
    client.pipe(upstream);
    upstream.pipe(client);
  }

  #refuse(client: Duplex, target: string, error: DebtorrentError): void {
    this.#deps.log.info({ method: 'CONNECT', target, code: error.code }, 'tunnel refused');
    endWith(client, error);
  }
}

function asUnreachable(error: Error, target: string): DebtorrentError {
  return error instanceof DebtorrentError
    ? error
    : new DebtorrentError('MIRROR_UNREACHABLE', `${target}: ${error.message}`);
}
