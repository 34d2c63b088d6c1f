/** One connection of a client: bytes of requests out, answers in, silence noticed. */
import { type Socket, connect } from 'node:net';
import { type AnswerEvents, AnswerReader, ProtocolError } from './answer-reader.ts';
import type { Route } from './route.ts';

/** Why a connection is no more. */
export type Loss = 'refused' | 'closed' | 'timeout' | 'protocol';

export interface ConnectionEvents extends AnswerEvents {
  open(): void;
  /** Once, at the end, after `done` of an answer that was under way; not after `destroy`. */
  lost(why: Loss): void;
}

/**
 * All connections of a thread read into one buffer, which they can since what was read is used up before the next read
 * (libuv calls back right after each read); a buffer of its own for each of hundreds would cost more than the hashes.
 */
export class ReadBuffer {
  readonly buffer = Buffer.allocUnsafeSlow(256 * 1024);
}

export interface ConnectionOptions {
  readonly route: Route;
  /** Milliseconds without a byte after which it is given up while an answer is due. */
  readonly silenceMs: number;
  readonly into: ReadBuffer;
}

export class Connection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #reader: AnswerReader;
  #why: Loss = 'refused';
  #over = false;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events;
    // what follows in the same bytes after it was given up is nobody's
    this.#reader = new AnswerReader({
      head: (head) => this.#over || events.head(head),
      body: (chunk) => this.#over || events.body(chunk),
      done: (complete) => this.#over || events.done(complete),
    });
    const { host, port } = options.route;
    const onread = {
      buffer: options.into.buffer,
      callback: (bytes: number, buffer: Uint8Array) => this.#read(bytes, buffer),
    };
    const socket = connect({ host, port, onread, noDelay: true });
    this.#socket = socket;
    socket.setTimeout(options.silenceMs);
    socket.once('connect', () => {
      this.#why = 'closed';
      if (!this.#over) events.open();
    });
    socket.on('timeout', () => this.#fail('timeout'));
    socket.on('end', () => this.#fail(this.#why));
    socket.on('error', () => this.#fail(this.#why));
    socket.on('close', () => this.#fail(this.#why));
  }

  send(heads: string): void {
    this.#socket.write(heads, 'latin1');
  }

  /** Nothing more is heard of it. */
  destroy(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  #read(bytes: number, buffer: Uint8Array): boolean {
    if (this.#over) return false;
    try {
      this.#reader.push((buffer as Buffer).subarray(0, bytes));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail('protocol');
    }
    return true;
  }

  #fail(why: Loss): void {
    if (this.#over) return;
    if (why === 'closed' || why === 'timeout') this.#reader.end();
    this.destroy();
    this.#events.lost(why);
  }
}
