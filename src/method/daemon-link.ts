/** The way to one daemon: over its Unix socket where it is on this machine and lets us, else over TCP. */
import { accessSync, constants } from 'node:fs';

import type { Answer } from '../core/method/answer-reader.ts';
import { CONTROL_TARGET } from '../core/method/control.ts';
import { DEFAULT_PORT } from '../core/method/debtorrent-uri.ts';
import { ClosedAsIdle, Connection, DaemonGone, type TakeBody, type Where } from './connection.ts';
import type { Settings } from './settings.ts';

const ALIVE_MS = 3_000;
const CONTROL_MS = 5_000;
const LOCAL = new Set(['localhost', '127.0.0.1', '::1']);

type Headers = Readonly<Record<string, string>>;

export class DaemonLink {
  /** HOST:PORT, for people. */
  readonly name: string;
  /** Milliseconds of silence. */
  readonly timeoutMs: number;
  readonly #tcp: Where;
  #socket: string | undefined;
  /** Connections that wait for a request, the last used at the end. */
  #idle: Connection[] = [];
  /** It could not be reached: nobody asks it any more. */
  gone = false;

  constructor(host: string, port: number, settings: Settings) {
    this.#tcp = { host, port };
    this.timeoutMs = settings.timeoutMs;
    this.name = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    // a daemon on another port is another daemon, unless the configuration says whose socket it is
    const ours = LOCAL.has(host.toLowerCase()) && (port === DEFAULT_PORT || settings.socketGiven);
    this.#socket = ours && usable(settings.socket) ? settings.socket : undefined;
  }

  /**
   * Asks for something; resolves when the answer has ended.
   * @param taker is told the answer's head and says who takes its body.
   * @throws DaemonGone, DaemonSilent or EndedShort, and what taker and body throw.
   */
  async get(
    target: string,
    headers: Headers,
    taker: (answer: Answer) => TakeBody,
    timeoutMs = this.timeoutMs,
  ): Promise<void> {
    const head = requestHead('GET', target, { Host: this.name, ...headers });
    const checked = (answer: Answer): TakeBody => {
      if (!isOfDaemon(answer)) throw new DaemonGone('something else answers there');
      return taker(answer);
    };
    await this.#overEither(async () => {
      for (;;) {
        const connection = this.#idle.pop() ?? this.#connect();
        try {
          await connection.request(head, checked, timeoutMs);
          if (connection.open) this.#idle.push(connection);
          return;
        } catch (error) {
          if (!(error instanceof ClosedAsIdle)) throw error;
        }
      }
    });
  }

  /** A connection for the control protocol. @throws Error when the daemon does not have it or is not there. */
  async control(take: (chunk: Buffer) => void, closed: () => void): Promise<Connection> {
    return this.#overEither(async () => {
      const connection = new Connection(this.#where(), closed);
      const head = requestHead('CONNECT', CONTROL_TARGET, { Host: CONTROL_TARGET });
      const taker = ({ status, headers }: Answer): TakeBody => {
        // a server that has a page for everything sends its length, which no tunnel has (RFC 9110 section 9.3.6)
        const page = headers.has('content-length') || headers.has('transfer-encoding');
        if (status !== 200 || page) throw new Error('the daemon knows nothing of transactions');
        connection.tunnel(take);
        return () => undefined;
      };
      await connection.request(head, taker, CONTROL_MS, true);
      return connection;
    });
  }

  /** Whether it answers at all. As `localhost`: it need not know the name or address that leads to it from here. */
  async alive(): Promise<boolean> {
    let status = 0;
    const taker = (answer: Answer): TakeBody => {
      ({ status } = answer);
      return () => undefined;
    };
    const head = requestHead('GET', '/healthz', { Host: 'localhost', Connection: 'close' });
    try {
      await this.#overEither(() => this.#connect().request(head, taker, ALIVE_MS));
    } catch {
      return false;
    }
    return status === 200;
  }

  /** What a daemon that was killed has left, or one that is closed to us: TCP may still go. */
  async #overEither<T>(work: () => Promise<T>): Promise<T> {
    const socket = this.#socket;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DaemonGone) || socket === undefined) throw error;
      this.#socket = undefined;
      this.#idle = [];
      return work();
    }
  }

  #connect(): Connection {
    const connection = new Connection(this.#where(), () => {
      this.#idle = this.#idle.filter((each) => each !== connection);
    });
    return connection;
  }

  #where(): Where {
    return this.#socket === undefined ? this.#tcp : { path: this.#socket };
  }
}

/** What a daemon says of a file has one of these; another server on its port, or one in between, knows neither. */
function isOfDaemon({ headers }: Answer): boolean {
  return headers.has('x-debtorrent-source') || headers.has('x-debtorrent-error');
}

function requestHead(method: string, target: string, headers: Headers): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\nUser-Agent: debtorrent-method\r\n${lines.join('')}\r\n`;
}

function usable(socket: string): boolean {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
