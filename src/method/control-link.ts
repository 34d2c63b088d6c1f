/** The method's end of a transaction: tells the daemon what APT will ask for, and learns what has arrived. */
import {
  decodeDaemonMessage,
  encodeControl,
  LineReader,
  MAX_BATCH,
  type DaemonMessage,
  type Want,
} from '../core/method/control.ts';
import type { Connection } from './connection.ts';
import type { DaemonLink } from './daemon-link.ts';

export class ControlLink {
  readonly #told: (message: DaemonMessage) => void;
  readonly #lines = new LineReader();
  readonly #lost: () => void;
  #connection: Connection | undefined;
  #want: Want[] = [];
  #over: number[] = [];
  #flushing = false;
  /** The daemon tells what is ready; when it does not, everything is just asked for. */
  open = true;

  /** `lost` is called once, when the daemon does not speak the protocol or the connection has ended. */
  constructor(link: DaemonLink, told: (message: DaemonMessage) => void, lost: () => void) {
    this.#told = told;
    this.#lost = lost;
    link
      .control(
        (chunk) => this.#received(chunk.toString('latin1')),
        () => this.#connection !== undefined && this.#close(),
      )
      .then(
        (connection) => {
          this.#connection = connection;
          if (!connection.open) this.#close();
          this.#flushSoon();
        },
        () => this.#close(),
      );
  }

  want(want: Want): void {
    this.#want.push(want);
    this.#flushSoon();
  }

  over(id: number): void {
    this.#over.push(id);
    this.#flushSoon();
  }

  #received(text: string): void {
    try {
      for (const line of this.#lines.push(text)) this.#told(decodeDaemonMessage(line));
    } catch {
      this.#close(); // it speaks another protocol
    }
  }

  /** What APT says in one go is told in few messages. */
  #flushSoon(): void {
    if (this.#flushing || this.#connection === undefined || !this.open) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      while (this.open && this.#want.length + this.#over.length > 0) {
        const want = this.#want.splice(0, MAX_BATCH);
        const over = this.#over.splice(0, MAX_BATCH);
        this.#connection?.write(encodeControl({ ...(want.length > 0 && { want }), ...(over.length > 0 && { over }) }));
      }
    });
  }

  #close(): void {
    if (!this.open) return;
    this.open = false;
    this.#want = [];
    this.#over = [];
    this.#connection?.close();
    this.#lost();
  }
}
