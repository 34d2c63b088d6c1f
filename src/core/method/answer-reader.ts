/**
 * Takes an HTTP/1.1 answer out of the bytes of a connection (RFC 9112), without copying its body. Strict: what could be
 * read in two ways is refused, and nothing has no bound.
 */

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** What becomes of an answer. The chunks of the body are only good until the call returns. */
export interface AnswerSink {
  head(answer: Answer): void;
  body(chunk: Buffer): void;
  end(): void;
}

/** The other side does not speak HTTP, or something that is like it. */
export class AnswerMalformed extends Error {
  override readonly name = 'AnswerMalformed';
}

const MAX_HEAD_BYTES = 16 * 1024;
/** Digits and extensions of a chunk's size, and trailers. */
const MAX_CHUNK_LINE = 1024;
const EMPTY = Buffer.alloc(0);
const VERSION = 'HTTP/1.1 ';
const NOT_HTTP = 'no answer in HTTP/1.1';

type State = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'done';

export class AnswerReader {
  readonly #sink: AnswerSink;
  /** The answer to CONNECT: if it is 2xx the connection is something else after its head. */
  readonly #tunnel: boolean;
  #state: State = 'head';
  #held: Buffer = EMPTY;
  /** Of the body or chunk. */
  #left = 0;
  #keepAlive = true;

  constructor(sink: AnswerSink, tunnel = false) {
    this.#sink = sink;
    this.#tunnel = tunnel;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Nothing has come yet. */
  get untouched(): boolean {
    return this.#state === 'head' && this.#held.length === 0;
  }

  /** Whether another request may follow on the connection, once it is done. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /**
   * @returns bytes of `data` that are no part of this answer, at its end.
   * @throws AnswerMalformed, and what the sink throws.
   */
  push(data: Buffer): Buffer {
    let rest = data;
    while (rest.length > 0 && !this.done) {
      if (this.#state === 'body' || this.#state === 'chunk') rest = this.#pass(rest);
      else if (this.#state === 'head') rest = this.#head(rest);
      else rest = this.#line(rest);
    }
    return rest;
  }

  #pass(data: Buffer): Buffer {
    const length = Math.min(this.#left, data.length);
    this.#left -= length;
    this.#sink.body(length === data.length ? data : data.subarray(0, length));
    if (this.#left === 0) {
      if (this.#state === 'body') this.#end();
      else this.#state = 'chunk-end';
    }
    return data.subarray(length);
  }

  #head(data: Buffer): Buffer {
    const before = this.#held.length;
    const all = before === 0 ? data : Buffer.concat([this.#held, data]);
    const end = all.indexOf('\r\n\r\n');
    // another protocol's greeting may be all that ever comes
    if (!VERSION.startsWith(all.toString('latin1', 0, VERSION.length))) throw new AnswerMalformed(NOT_HTTP);
    if (end > MAX_HEAD_BYTES || (end < 0 && all.length > MAX_HEAD_BYTES)) throw new AnswerMalformed('headers too long');
    if (end < 0) {
      // the caller uses its memory again
      this.#held = before === 0 ? Buffer.from(all) : all;
      return EMPTY;
    }
    this.#held = EMPTY;
    this.#begin(all.toString('latin1', 0, end));
    return data.subarray(end + 4 - before);
  }

  #begin(text: string): void {
    const [first = '', ...lines] = text.split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1] ?? 0);
    if (status < 200) throw new AnswerMalformed(NOT_HTTP);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new AnswerMalformed('a header that is none');
      const key = name.toLowerCase();
      if (headers.has(key) && FRAMING.has(key)) throw new AnswerMalformed(`more than one ${key} header`);
      headers.set(key, value);
    }
    this.#keepAlive = !/\bclose\b/i.test(headers.get('connection') ?? '');
    this.#sink.head({ status, headers });
    if (this.#tunnel && status < 300) this.#end();
    else this.#frame(status, headers.get('content-length'), headers.get('transfer-encoding'));
  }

  #frame(status: number, length: string | undefined, coding: string | undefined): void {
    if (status === 204 || status === 304) this.#end();
    else if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked' || length !== undefined) throw new AnswerMalformed('framed in two ways');
      this.#state = 'chunk-size';
    } else {
      if (!/^\d{1,15}$/.test(length ?? '')) throw new AnswerMalformed('a body without a length');
      this.#left = Number(length);
      this.#state = 'body';
      if (this.#left === 0) this.#end();
    }
  }

  #line(data: Buffer): Buffer {
    const end = data.indexOf(0x0a);
    const part = end < 0 ? data : data.subarray(0, end);
    if (this.#held.length + part.length > MAX_CHUNK_LINE) throw new AnswerMalformed('a line too long');
    const line = Buffer.concat([this.#held, part]);
    this.#held = end < 0 ? line : EMPTY;
    if (end < 0) return EMPTY;
    if (line.at(-1) !== 0x0d) throw new AnswerMalformed('a line that ends in another way');
    this.#chunkLine(line.toString('latin1', 0, line.length - 1));
    return data.subarray(end + 1);
  }

  #chunkLine(line: string): void {
    if (this.#state === 'chunk-size') {
      const digits = /^([0-9a-f]{1,12})(?:[ \t]*;.*)?$/i.exec(line)?.[1];
      if (digits === undefined) throw new AnswerMalformed('a chunk without a size');
      this.#left = Number.parseInt(digits, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk';
    } else if (this.#state === 'chunk-end') {
      if (line !== '') throw new AnswerMalformed('a chunk longer than its size');
      this.#state = 'chunk-size';
    } else if (line === '') this.#end();
  }

  #end(): void {
    this.#state = 'done';
    this.#sink.end();
  }
}

const FRAMING = new Set(['content-length', 'transfer-encoding', 'content-range', 'connection']);
