/**
 * Reads HTTP/1.1 answers from a connection as they arrive and keeps nothing of their bodies: hundreds of clients in
 * one thread are possible only when a byte costs no more than its hash.
 */

export interface AnswerHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The connection ends with this answer. */
  readonly last: boolean;
  /** Bytes of the body when Content-Length says so. */
  readonly length: number | undefined;
}

export interface AnswerEvents {
  head(head: AnswerHead): unknown;
  /** Valid only during the call. */
  body(chunk: Buffer): unknown;
  /** @param complete false when the connection ended before the body did */
  done(complete: boolean): unknown;
}

/** What came is no HTTP/1.1. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const MAX_HEAD = 65_536;
const MAX_CHUNK_LINE = 1024;
const NOTHING = Buffer.alloc(0);

type State = 'head' | 'length' | 'close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer';

export class AnswerReader {
  readonly #events: AnswerEvents;
  #state: State = 'head';
  /** Start of a head or of a chunk's line that has not come whole. */
  #held = NOTHING;
  #left = 0;

  constructor(events: AnswerEvents) {
    this.#events = events;
  }

  /** True between two answers. */
  get idle(): boolean {
    return this.#state === 'head' && this.#held.length === 0;
  }

  /** @throws ProtocolError */
  push(data: Buffer): void {
    let rest = this.#held.length > 0 ? Buffer.concat([this.#held, data]) : data;
    this.#held = NOTHING;
    while (rest.length > 0) {
      const used = this.#step(rest);
      if (used === 0) {
        this.#held = Buffer.from(rest); // `data` is not ours
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** The connection has ended. */
  end(): void {
    const state = this.#state;
    this.#state = 'head';
    this.#held = NOTHING;
    if (state !== 'head') this.#events.done(state === 'close');
  }

  /** Returns how many bytes it used; 0 when it needs more to go on. */
  #step(data: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#head(data);
      case 'length':
      case 'chunk': {
        const part = data.length > this.#left ? data.subarray(0, this.#left) : data;
        this.#left -= part.length;
        const ended = this.#left === 0;
        if (ended) this.#state = this.#state === 'length' ? 'head' : 'chunk-end';
        this.#events.body(part);
        if (ended && this.#state === 'head') this.#events.done(true);
        return part.length;
      }
      case 'close':
        this.#events.body(data);
        return data.length;
      case 'chunk-size':
      case 'chunk-end':
      case 'trailer':
        return this.#line(data);
    }
  }

  #head(data: Buffer): number {
    const end = data.indexOf('\r\n\r\n');
    if (end < 0) {
      if (data.length > MAX_HEAD) throw new ProtocolError('a head without an end');
      return 0;
    }
    const head = parseHead(data.toString('latin1', 0, end));
    const chunked = head.headers.get('transfer-encoding')?.toLowerCase().includes('chunked') ?? false;
    const none = head.status === 304 || head.status === 204 || (!chunked && head.length === 0);
    if (none) this.#state = 'head';
    else if (chunked) this.#state = 'chunk-size';
    else if (head.length === undefined) this.#state = 'close';
    else [this.#state, this.#left] = ['length', head.length];
    this.#events.head(head);
    if (none) this.#events.done(true);
    return end + 4;
  }

  #line(data: Buffer): number {
    const end = data.indexOf('\r\n');
    if (end < 0) {
      if (data.length > MAX_CHUNK_LINE) throw new ProtocolError('a chunk without a size');
      return 0;
    }
    const line = data.toString('latin1', 0, end);
    if (this.#state === 'chunk-end') {
      if (line !== '') throw new ProtocolError('a chunk longer than its size');
      this.#state = 'chunk-size';
    } else if (this.#state === 'trailer') {
      if (line !== '') return end + 2;
      this.#state = 'head';
      this.#events.done(true);
    } else {
      const size = /^([0-9a-f]{1,12})\s*(?:;.*)?$/i.exec(line)?.[1];
      if (size === undefined) throw new ProtocolError(`a chunk of size ${line.slice(0, 40)}`);
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk';
    }
    return end + 2;
  }
}

function parseHead(text: string): AnswerHead {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, code] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(first) ?? [];
  if (code === undefined) throw new ProtocolError(`an answer that begins ${JSON.stringify(first.slice(0, 40))}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const length = headers.get('content-length');
  if (length !== undefined && !/^\d{1,15}$/.test(length)) throw new ProtocolError(`a length of ${length.slice(0, 40)}`);
  const connection = headers.get('connection')?.toLowerCase();
  const last = connection === 'close' || (minor === '0' && connection !== 'keep-alive');
  return { status: Number(code), headers, last, length: length === undefined ? undefined : Number(length) };
}
