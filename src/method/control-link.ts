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
  readonly #link: DaemonLink;
  readonly #told: (message: DaemonMessage) => void;
  readonly #lines = new LineReader();
  readonly #lost: (gone?: string) => void;
  /** Wants of which nothing has been told. While there are some, the daemon writes every second. */
  readonly #pending = new Set<number>();
  #silence: NodeJS.Timeout | undefined;
  #received = 0;
  #connection: Connection | undefined;
  #want: Want[] = [];
  #over: number[] = [];
  #flushing = false;
  /** The daemon tells what is ready; when it does not, everything is just asked for. */
  open = true;

  /**
   * `lost` is called once, when the daemon does not speak the protocol, says nothing or has closed the connection; it is
   * told why there is no daemon, if there is none that answers anything.
   */
  constructor(link: DaemonLink, told: (message: DaemonMessage) => void, lost: (gone?: string) => void) {
    this.#link = link;
    this.#told = told;
    this.#lost = lost;
    link
      .control(
        (chunk) => this.#take(chunk.toString('latin1')),
        () => this.#connection !== undefined && this.#close(),
      )
      .then(
        (connection) => {
          this.#connection = connection;
          if (!this.open) connection.close();
          else if (!connection.open) this.#close();
          this.#flushSoon();
        },
        () => this.#close(),
      );
  }

  want(want: Want): void {
    this.#want.push(want);
    this.#pending.add(want.id);
    this.#silence ??= setTimeout(() => void this.#silent(), this.#link.timeoutMs);
    this.#flushSoon();
  }

  over(id: number): void {
    this.#over.push(id);
    this.#settled([id]);
    this.#flushSoon();
  }

  #take(text: string): void {
    this.#received += text.length;
    this.#silence?.refresh();
    try {
      for (const line of this.#lines.push(text)) {
        const message = decodeDaemonMessage(line);
        this.#settled(message.ready ?? []);
        this.#settled(message.failed?.map(({ id }) => id) ?? []);
        this.#told(message);
      }
    } catch {
      this.#close(); // it speaks another protocol
    }
  }

  #settled(ids: readonly number[]): void {
    for (const id of ids) this.#pending.delete(id);
    if (this.#pending.size > 0) return;
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }

  /** The daemon is stopped, or the way to it is broken: nothing else would ever end this connection. */
  async #silent(): Promise<void> {
    const before = this.#received;
    const alive = await this.#link.alive();
    if (!this.open || this.#pending.size === 0) return;
    // this process was the one that stood still
    if (this.#received > before) this.#silence?.refresh();
    else this.#close(alive ? undefined : 'the daemon is silent');
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

  #close(gone?: string): void {
    if (!this.open) return;
    this.open = false;
    clearTimeout(this.#silence);
    this.#want = [];
    this.#over = [];
    this.#connection?.close();
    this.#lost(gone);
  }
}
