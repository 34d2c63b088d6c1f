/** CONNECT to allowed hosts (RFC 9110 section 9.3.6): what APT uses for https mirrors behind an http proxy. */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { asDebtorrentError, DebtorrentError, ERRORS } from '../core/errors.ts';
import { formatAuthority } from '../core/http/authority.ts';
import type { HostRules } from '../core/host-rules.ts';
import type { Logger } from '../core/logging.ts';
import { checkHost, guardedLookup } from '../actors/http-backup/dns-guard.ts';
import { endIn, endWith } from './last-answer.ts';

export interface TunnelDeps {
  readonly rules: HostRules;
  readonly log: Logger;
  /** A request for a tunnel was answered, so many milliseconds after it came. */
  answered(status: number, ms: number): void;
}

const MAX_TUNNELS = 512;
const CONNECT_MS = 10_000;
const IDLE_MS = 300_000;
/** What the host sent before it closed goes on to the client for this long. */
const LEFT_MS = 60_000;

export class Tunnels {
  readonly #deps: TunnelDeps;
  readonly #open = new Set<Socket>();

  constructor(deps: TunnelDeps) {
    this.#deps = deps;
  }

  /** Connects the client to the host, or answers why not; `early` is what the client sent already. */
  open(client: Duplex, host: string, port: number, early: Buffer): void {
    const startedAt = performance.now();
    const target = formatAuthority(host, port);
    client.on('error', () => client.destroy());
    try {
      checkHost(this.#deps.rules, host, port, 'tunnel');
      if (this.#open.size >= MAX_TUNNELS) throw new DebtorrentError('OVERLOADED', 'too many tunnels are open');
    } catch (error) {
      this.#refuse(client, target, startedAt, asDebtorrentError(error));
      return;
    }
    const upstream = connect({ host, port, lookup: guardedLookup(this.#deps.rules, port) });
    this.#open.add(upstream);
    upstream.setTimeout(CONNECT_MS);
    let connected = false;
    let failure: Error | undefined;
    upstream.once('connect', () => {
      connected = true;
      upstream.setTimeout(IDLE_MS);
      this.#deps.answered(200, performance.now() - startedAt);
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (early.length > 0) upstream.write(early);
      client.pipe(upstream);
      upstream.pipe(client);
    });
    upstream.on('timeout', () => upstream.destroy(new DebtorrentError('MIRROR_TIMEOUT', `${target} does not answer`)));
    upstream.on('error', (error) => (failure = error));
    upstream.on('close', () => {
      this.#open.delete(upstream);
      const { bytesRead: down, bytesWritten: up } = upstream;
      const ms = Math.round(performance.now() - startedAt);
      if (connected) {
        this.#deps.log.info({ method: 'CONNECT', target, status: 200, up, down, ms }, 'tunnel closed');
        // after its end was read, which comes before its close, the client is still to be given what it is slow to take
        if (upstream.readableEnded && !client.writableFinished) {
          client.once('finish', () => client.destroy());
          endIn(client, LEFT_MS);
        } else client.destroy();
        return;
      }
      const unreachable = new DebtorrentError('MIRROR_UNREACHABLE', `${target}: ${failure?.message ?? 'closed'}`);
      this.#refuse(client, target, startedAt, failure instanceof DebtorrentError ? failure : unreachable);
    });
    client.on('close', () => upstream.destroy());
  }

  closeAll(): void {
    for (const socket of this.#open) socket.destroy();
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
