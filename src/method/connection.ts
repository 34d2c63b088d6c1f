/**
 * One connection to the daemon: a request at a time. Bodies are read into memory that is used again and again and are
 * handed on before it is: node:http copies each piece, which took as much processor time as writing and hashing it.
 */
import { connect, type Socket } from 'node:net';

import { AnswerMalformed, AnswerReader, type Answer } from '../core/method/answer-reader.ts';

/** The daemon cannot be reached, or what is there is none. */
export class DaemonGone extends Error {
  override readonly name = 'DaemonGone';
}

/** The daemon sends nothing for as long as the configuration allows. */
export class DaemonSilent extends Error {
  override readonly name = 'DaemonSilent';
}

/** The connection ended in the middle of an answer. */
export class EndedShort extends Error {
  override readonly name = 'EndedShort';
}

/** The daemon closed the connection, which it thought idle, as a request went out on it. */
export class ClosedAsIdle extends Error {
  override readonly name = 'ClosedAsIdle';
}

export type Where = { readonly host: string; readonly port: number } | { readonly path: string };
/** Takes the body; its chunks are only good until it returns. What it throws ends the connection. */
export type TakeBody = (chunk: Buffer) => void;

const READ_BYTES = 256 * 1024;
const MAX_POOLED = 16;
const CONNECT_MS = 5_000;
/**
 * After a time limit has passed: what came while this process stood still (Ctrl-Z, a machine that was paused) is read
 * only after the timers have run.
 */
const GRACE_MS = 1_000;
const pool: Buffer[] = [];

interface Exchange {
  readonly reader: AnswerReader;
  reject(error: unknown): void;
}

export class Connection {
  readonly #socket: Socket;
  #exchange: Exchange | undefined;
  #connected = false;
  #answered = 0;
  #error: string | undefined;
  /** Milliseconds without a byte; 0 is no limit. */
  #limitMs = CONNECT_MS;
  /** They are over. */
  #late = false;
  /** After an answer to CONNECT. */
  #tunnel: ((chunk: Buffer) => void) | undefined;
  open = true;

  /** @param closed is called once, when nothing can be asked on it any more. */
  constructor(where: Where, closed: () => void) {
    const buffer = pool.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
    const socket = connect({
      ...where,
      noDelay: true,
      onread: {
        buffer,
        callback: (length, data) => {
          this.#received(Buffer.from(data.buffer, data.byteOffset, length));
          return true;
        },
      },
    });
    this.#socket = socket;
    this.#limit(CONNECT_MS);
    socket.once('connect', () => (this.#connected = true));
    socket.on('timeout', () => {
      if (this.#late) {
        this.#fail(
          this.#connected ? new DaemonSilent('the daemon is silent') : new DaemonGone('no connection in time'),
        );
        return;
      }
      this.#late = true;
      socket.setTimeout(GRACE_MS);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (this.#error = error.code ?? error.message));
    socket.on('end', () => this.#ended());
    socket.once('close', () => {
      this.#ended();
      if (pool.length < MAX_POOLED) pool.push(buffer);
      closed();
    });
  }

  /**
   * Sends a request and resolves when the answer has ended.
   * @param head as text, with the empty line.
   * @param taker is told the answer's head and says who takes its body. What it throws ends the connection.
   * @throws DaemonGone, DaemonSilent, EndedShort, ClosedAsIdle, and what taker and body throw.
   */
  request(head: string, taker: (answer: Answer) => TakeBody, timeoutMs: number, tunnel = false): Promise<void> {
    return new Promise((resolve, reject) => {
      let take: TakeBody = () => undefined;
      const sink = {
        head: (answer: Answer) => void (take = taker(answer)),
        body: (chunk: Buffer) => take(chunk),
        end: () => {
          this.#exchange = undefined;
          this.#answered += 1;
          if (!tunnel) this.#idle(reader);
          resolve();
        },
      };
      const reader = new AnswerReader(sink, tunnel);
      this.#exchange = { reader, reject };
      if (this.#connected) this.#limit(timeoutMs);
      else this.#socket.once('connect', () => this.#limit(timeoutMs));
      this.#socket.write(head, 'latin1');
    });
  }

  /** After a CONNECT that was answered with 200: whoever takes what comes from now on, and minds how long nothing does. */
  tunnel(take: (chunk: Buffer) => void): void {
    this.#limit(0);
    this.#tunnel = take;
  }

  write(text: string): void {
    if (this.open) this.#socket.write(text, 'latin1');
  }

  close(): void {
    this.open = false;
    this.#socket.destroy();
  }

  #idle(reader: AnswerReader): void {
    this.#limit(0);
    if (!reader.keepAlive) this.close();
  }

  #limit(ms: number): void {
    this.#limitMs = ms;
    this.#late = false;
    this.#socket.setTimeout(ms);
  }

  #received(data: Buffer): void {
    if (this.#late) this.#limit(this.#limitMs);
    try {
      const rest = this.#exchange === undefined ? data : this.#exchange.reader.push(data);
      if (rest.length === 0) return;
      if (this.#tunnel === undefined) throw new AnswerMalformed('bytes that were not asked for');
      this.#tunnel(rest);
    } catch (error) {
      this.#fail(error instanceof AnswerMalformed ? new DaemonGone(error.message) : error);
    }
  }

  #ended(): void {
    if (this.#exchange === undefined) {
      this.close();
      return;
    }
    const why = this.#error ?? 'it has closed the connection';
    if (!this.#exchange.reader.untouched) this.#fail(new EndedShort(`the answer ended short: ${why}`));
    else this.#fail(this.#answered > 0 ? new ClosedAsIdle(why) : new DaemonGone(why));
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.close();
    exchange?.reject(error);
  }
}
