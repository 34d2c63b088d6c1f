/**
 * The daemon's end of one transaction of the APT method: has its files fetched, in an order that suits all of them,
 * and says which can be asked for. It goes through the same plans, rules and transfers as any request; a file that is
 * only announced is fetched as if it had been asked for.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import {
  decodeMethodMessage,
  encodeControl,
  LineReader,
  MAX_BATCH,
  type DaemonFigures,
  type DaemonMessage,
  type Want,
  type WantFailure,
} from '../../core/method/control.ts';
import { FetchOrder } from '../../core/method/fetch-order.ts';
import { asDebtorrentError, DebtorrentError, type ErrorCode } from '../../core/errors.ts';
import type { MirrorUrl, Sha256 } from '../../core/ids.ts';
import { STORE_FAULTS } from '../send-file.ts';

export interface SessionDeps {
  /** @throws DebtorrentError when the target is no file of a mirror. */
  locate(target: string): MirrorUrl;
  /** Resolves when the file is in the store; rejects with what a request for it would be answered. */
  prefetch(url: MirrorUrl, expected: Sha256): Promise<void>;
  figures(): Promise<DaemonFigures>;
  /** Bytes that a transaction may have fetched ahead. */
  readonly aheadBytes: number;
}

const MAX_RUNNING = 32;
const MAX_WANTS = 20_000;
/** The method writes whenever APT does; a person may leave APT at a question, but not during a download. */
const IDLE_MS = 3_600_000;
const FIGURES_MS = 1_000;
/** What a slow reader has not taken; a method that does not read is cut off. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
/** The request itself deals with these: it passes by a store that is full. */
const NO_ANSWER = new Set<ErrorCode>([...STORE_FAULTS, 'ASK_TIMEOUT']);

export class MethodSession {
  readonly #deps: SessionDeps;
  readonly #socket: Duplex;
  readonly #lines = new LineReader();
  readonly #order: FetchOrder;
  #ready: number[] = [];
  #failed: WantFailure[] = [];
  #flushing = false;
  #closed = false;
  #figures: NodeJS.Timeout | undefined;

  constructor(deps: SessionDeps, socket: Duplex) {
    this.#deps = deps;
    this.#socket = socket;
    this.#order = new FetchOrder({ running: MAX_RUNNING, bytes: deps.aheadBytes, wants: MAX_WANTS });
  }

  /** Runs until the connection ends; `early` are bytes that came with the request. */
  run(early: Buffer, ended: () => void): void {
    const socket = this.#socket;
    // the server's own limit is for requests
    if (socket instanceof Socket) socket.setTimeout(0);
    const idle = setTimeout(() => socket.destroy(), IDLE_MS);
    const received = (chunk: Buffer): void => {
      idle.refresh();
      try {
        for (const line of this.#lines.push(chunk.toString('latin1'))) this.#handle(line);
      } catch {
        socket.destroy(); // not one of ours
      }
    };
    if (early.length > 0) received(early);
    socket.on('data', received);
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#closed = true;
      clearTimeout(idle);
      clearTimeout(this.#figures);
      ended();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #handle(line: string): void {
    const { want = [], over = [] } = decodeMethodMessage(line);
    for (const id of over) this.#order.over(id);
    for (const each of want) {
      if (!this.#order.add(each)) this.#fail(each.id, new DebtorrentError('OVERLOADED', 'too many files at once'));
    }
    this.#startSome();
    this.#figures ??= setTimeout(() => void this.#tellFigures(), FIGURES_MS);
  }

  #startSome(): void {
    for (let want = this.#order.next(); want !== undefined; want = this.#order.next()) void this.#fetch(want);
  }

  async #fetch({ id, target, sha256 }: Want): Promise<void> {
    try {
      await this.#deps.prefetch(this.#deps.locate(target), sha256);
      this.#ready.push(id);
    } catch (error) {
      this.#fail(id, asDebtorrentError(error));
    }
    this.#order.settled(id);
    if (this.#closed) return;
    this.#startSome();
    this.#flushSoon();
  }

  #fail(id: number, { code, message }: DebtorrentError): void {
    if (NO_ANSWER.has(code)) this.#ready.push(id);
    else this.#failed.push({ id, code, message });
    this.#flushSoon();
  }

  /** What settles at about the same time is told in one message. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      while (this.#ready.length + this.#failed.length > 0) {
        const ready = this.#ready.splice(0, MAX_BATCH);
        const failed = this.#failed.splice(0, MAX_BATCH);
        this.#send({ ...(ready.length > 0 && { ready }), ...(failed.length > 0 && { failed }) });
      }
    });
  }

  async #tellFigures(): Promise<void> {
    const figures = await this.#deps.figures().catch(() => undefined);
    if (this.#closed) return;
    // without figures too: the method takes silence for a daemon that is stopped
    this.#send({ ...(figures !== undefined && { figures }) });
    this.#figures = this.#order.idle ? undefined : setTimeout(() => void this.#tellFigures(), FIGURES_MS);
  }

  #send(message: DaemonMessage): void {
    if (this.#closed) return;
    // JSON leaves characters beyond ASCII as they are
    this.#socket.write(encodeControl(message).replaceAll(/[^\n\x20-\x7e]/g, '?'), 'latin1');
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) this.#socket.destroy();
  }
}
