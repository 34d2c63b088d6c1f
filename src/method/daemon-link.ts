/** The way to one daemon: over its Unix socket where it is on this machine and lets us, else over TCP. */
import { accessSync, constants } from 'node:fs';
import { Agent, get, request, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import { CONTROL_TARGET } from '../core/method/control.ts';
import { DEFAULT_PORT } from '../core/method/debtorrent-uri.ts';
import type { Settings } from './settings.ts';

/** The daemon cannot be reached, or has ended in the middle of an answer. */
export class DaemonGone extends Error {
  override readonly name = 'DaemonGone';
}

/** The daemon answers, but not for as long as the configuration says. */
export class DaemonSilent extends Error {
  override readonly name = 'DaemonSilent';
}

/** The daemon closed a connection that it thought idle, as a request went out on it. */
class ClosedAsIdle extends Error {}

/** Connections at once; further requests wait for one of them. */
const MAX_CONNECTIONS = 16;
/** Longest wait for a connection, in milliseconds. */
const CONNECT_MS = 5_000;
const ALIVE_MS = 3_000;
const LOCAL = new Set(['localhost', '127.0.0.1', '::1']);
const MAX_HEADER_BYTES = 16 * 1024;

export class DaemonLink {
  /** HOST:PORT, for people. */
  readonly name: string;
  readonly #host: string;
  readonly #port: number;
  readonly #timeoutMs: number;
  #socket: string | undefined;
  #agent = newAgent();
  /** It could not be reached: nobody asks it any more. */
  gone = false;

  constructor(host: string, port: number, settings: Settings) {
    this.#host = host;
    this.#port = port;
    this.#timeoutMs = settings.timeoutMs;
    this.name = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    // a daemon on another port is another daemon, unless the configuration says whose socket it is
    const ours = LOCAL.has(host.toLowerCase()) && (port === DEFAULT_PORT || settings.socketGiven);
    this.#socket = ours && usable(settings.socket) ? settings.socket : undefined;
  }

  /**
   * Sends a GET; resolves when the headers of the answer are there.
   * @throws DaemonGone or DaemonSilent
   */
  async get(
    target: string,
    headers: Readonly<Record<string, string>>,
    timeoutMs = this.#timeoutMs,
  ): Promise<IncomingMessage> {
    for (;;) {
      const socket = this.#socket;
      try {
        return await this.#get(target, headers, timeoutMs);
      } catch (error) {
        if (error instanceof ClosedAsIdle) continue;
        // left by a daemon that was killed, or closed to us: TCP may still go
        if (!(error instanceof DaemonGone) || socket === undefined) throw error;
        if (this.#socket === socket) {
          this.#socket = undefined;
          this.#agent.destroy();
          this.#agent = newAgent();
        }
      }
    }
  }

  /** A connection for the control protocol. @throws Error when the daemon does not have it or is not there. */
  control(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const headers = { Host: CONTROL_TARGET };
      const asked = request({ ...this.#where(), method: 'CONNECT', path: CONTROL_TARGET, agent: false, headers });
      asked.setTimeout(CONNECT_MS, () => asked.destroy(new DaemonSilent('no answer')));
      asked.once('connect', (answer, socket, head) => {
        socket.setTimeout(0);
        if (head.length > 0) socket.unshift(head);
        if (answer.statusCode === 200) resolve(socket);
        else {
          socket.destroy();
          reject(new Error('the daemon knows nothing of transactions'));
        }
      });
      asked.once('error', reject);
      asked.end();
    });
  }

  /** Whether it answers at all. */
  async alive(): Promise<boolean> {
    try {
      const answer = await this.get('/healthz', { Connection: 'close' }, ALIVE_MS);
      answer.resume();
      return answer.statusCode === 200;
    } catch {
      return false;
    }
  }

  #where(): { host: string; port: number } | { socketPath: string } {
    return this.#socket === undefined ? { host: this.#host, port: this.#port } : { socketPath: this.#socket };
  }

  #get(path: string, headers: Readonly<Record<string, string>>, timeoutMs: number): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const agent = headers['Connection'] === 'close' ? false : this.#agent;
      const all = { Host: this.name, 'User-Agent': 'debtorrent-method', ...headers };
      const asked = get({ ...this.#where(), path, agent, headers: all, maxHeaderSize: MAX_HEADER_BYTES });
      let connecting: NodeJS.Timeout | undefined;
      asked.once('socket', (socket) => {
        if (!socket.connecting) return;
        connecting = setTimeout(() => asked.destroy(new DaemonGone('no connection in time')), CONNECT_MS);
        socket.once('connect', () => clearTimeout(connecting));
      });
      asked.setTimeout(timeoutMs, () => asked.destroy(new DaemonSilent(`no byte for ${timeoutMs / 1000} s`)));
      asked.once('response', resolve);
      asked.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(connecting);
        if (error instanceof DaemonSilent || error instanceof DaemonGone) reject(error);
        else if (asked.reusedSocket && error.code === 'ECONNRESET') reject(new ClosedAsIdle());
        else reject(new DaemonGone(error.code ?? error.message));
      });
    });
  }
}

function newAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, scheduling: 'lifo' });
}

function usable(socket: string): boolean {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
