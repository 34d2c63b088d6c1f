/** One request of a client and what became of it, for the log and the figures. */
import type { IncomingMessage, ServerResponse } from 'node:http';

import { Cancellation } from '../core/cancellation.ts';
import type { SourceLabel } from '../core/fetch-plan.ts';
import { asksMirror, wantsCachedOnly } from '../core/http/freshness.ts';
import { parseRange, type ByteRangeSpec } from '../core/http/range.ts';
import type { FileHead } from '../actors/transfers/protocol.ts';

export interface Promised {
  readonly file: FileHead;
  readonly start: number;
  /** Undefined when it was not known. */
  readonly end: number | undefined;
}

export class ClientExchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly startedAt = performance.now();
  /** The target as it is logged. */
  target = '';
  source: SourceLabel | undefined;
  /** Bytes of the body that went out. */
  bytes = 0;
  /** Milliseconds to the first byte of the answer; undefined when none went out. */
  firstByteMs: number | undefined;
  errorCode: string | undefined;
  /** One line for the log that says why it failed. */
  reason: string | undefined;
  gone = false;
  /** Ranges are not given: the client may have wrong bytes of this file. */
  wholeOnly = false;
  /** It asks for a mirror's first page at a path that does not end in a slash. */
  bare = false;
  /** Other caches are to ask here each time. */
  askAgain = false;
  /** SHA-256 of the bytes that went out, where the rest may not come from where they were read. */
  sentSha256: string | undefined;
  /** What the headers promised: the bytes [start, end) of this file. */
  promised: Promised | undefined;
  #head: readonly [status: number, headers: Record<string, string | number> | string[]] | undefined;
  #isNext = false;
  #whenNext: (() => void) | undefined;
  readonly #writing = new Set<(sent: boolean) => void>();
  #cancellation: Cancellation | undefined;

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.req = req;
    this.res = res;
  }

  get head(): boolean {
    return this.req.method === 'HEAD';
  }

  header(name: string): string | undefined {
    const value = this.req.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Cancelled when the connection closes. */
  get cancellation(): Cancellation {
    this.#cancellation ??= new Cancellation();
    if (this.gone) this.#cancellation.cancel();
    return this.#cancellation;
  }

  /** Bytes of the file, from this answer or from an earlier one whose rest it asked for. */
  get hasBytes(): boolean {
    return this.bytes > 0 || (this.promised?.start ?? 0) > 0;
  }

  /** Not all of what the headers promised went out. */
  get short(): boolean {
    const { start, end = Infinity } = this.promised ?? { start: 0, end: 0 };
    return this.bytes < end - start;
  }

  /** Something in the headers can make the answer another than 200 with the whole file. */
  get conditional(): boolean {
    const { headers } = this.req;
    return (
      headers.range !== undefined ||
      headers['if-none-match'] !== undefined ||
      headers['if-modified-since'] !== undefined
    );
  }

  /** The client wants what the mirror has now. */
  get reload(): boolean {
    return asksMirror(this.header('cache-control'), this.header('pragma'));
  }

  /** The client wants what is here, or nothing. */
  get cachedOnly(): boolean {
    return wantsCachedOnly(this.header('cache-control'));
  }

  range(): ByteRangeSpec | undefined {
    return this.head || this.wholeOnly ? undefined : parseRange(this.header('range'));
  }

  /** It goes out with the first of the body or at the end: until then the answer may still become an error. */
  writeHead(status: number, headers: Record<string, string | number> | string[]): void {
    this.#head = [status, headers];
  }

  /** Sends the head without waiting for the body. */
  flushHead(): void {
    this.#begin();
    this.res.flushHeaders();
  }

  end(body?: Buffer | string): void {
    this.#begin();
    this.res.end(body);
  }

  /** Writes and waits until the bytes are with the kernel; false when the client has gone. */
  write(chunk: Buffer): Promise<boolean> {
    if (this.gone) return Promise.resolve(false);
    this.#begin();
    return new Promise((resolve) => {
      this.#writing.add(resolve);
      this.res.write(chunk, (error) => {
        this.#writing.delete(resolve);
        if (error === undefined || error === null) this.bytes += chunk.length;
        resolve(!error && !this.gone);
      });
    });
  }

  /** Resolves when the answers before this one on the connection have gone out, or it has closed. For one caller. */
  next(): Promise<void> | undefined {
    return this.#isNext || this.gone ? undefined : new Promise((resolve) => (this.#whenNext = resolve));
  }

  isNext(): void {
    this.#isNext = true;
    this.#whenNext?.();
  }

  /** The connection has closed. An answer that waits for earlier ones is told so by nobody else. */
  left(): void {
    this.gone = !this.res.writableFinished;
    this.#cancellation?.cancel();
    this.#whenNext?.();
    for (const resolve of this.#writing) resolve(false);
    this.#writing.clear();
  }

  /** Ends the answer before its announced length: the client sees that it is not whole. */
  cutShort(): void {
    this.res.destroy();
  }

  #begin(): void {
    if (this.#head === undefined) return;
    const [status, headers] = this.#head;
    this.#head = undefined;
    this.firstByteMs ??= performance.now() - this.startedAt;
    this.res.writeHead(status, headers as string[]);
  }
}
