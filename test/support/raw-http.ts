/** HTTP as bytes on a socket, for requests that no well-behaved client would send, and answers as they really came. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The body has as many bytes as its Content-Length said, or all its chunks. */
  readonly complete: boolean;
}

export interface Target {
  readonly port: number;
  readonly socketPath?: string;
}

const MAX_ANSWER = 512 * 1024 * 1024;

export function openSocket(target: Target): Socket {
  const socket = target.socketPath === undefined ? connect(target.port, '127.0.0.1') : connect(target.socketPath);
  socket.on('error', () => undefined);
  return socket;
}

/**
 * Sends `bytes` and collects `answers` answers in order, or as many as came before the connection ended or `timeoutMs`
 * ran out. `methods` says which of them answer HEAD; the connection is then closed.
 */
export function exchange(
  target: Target,
  bytes: string | Buffer,
  options: { answers?: number; methods?: readonly string[]; timeoutMs?: number } = {},
): Promise<RawAnswer[]> {
  const { answers = 1, methods = [], timeoutMs = 120_000 } = options;
  return new Promise((resolve) => {
    const socket = openSocket(target);
    const parser = new AnswerParser(methods);
    let settled = false;
    const finish = (): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      parser.end();
      socket.destroy();
      resolve(parser.answers);
    };
    const timer = setTimeout(finish, timeoutMs);
    socket.on('data', (data) => {
      parser.push(data);
      if (parser.answers.length >= answers) finish();
    });
    socket.on('close', finish);
    socket.on('connect', () => socket.write(bytes));
  });
}

/** A small, strict enough parser of answers: Content-Length, chunked, or until the end. */
export class AnswerParser {
  readonly answers: RawAnswer[] = [];
  readonly #methods: readonly string[];
  #parts: Buffer[] = [];
  #length = 0;
  #needed = 0;

  constructor(methods: readonly string[] = []) {
    this.#methods = methods;
  }

  push(data: Buffer): void {
    this.#parts.push(data);
    this.#length += data.length;
    if (this.#length > MAX_ANSWER) throw new Error('answer too large');
    // Large bodies come in many pieces: look again only when the answer under way can be whole.
    if (this.#length >= this.#needed) this.#parse(false);
  }

  end(): void {
    this.#parse(true);
  }

  #parse(ended: boolean): void {
    let buffer = Buffer.concat(this.#parts);
    for (;;) {
      const headEnd = buffer.indexOf('\r\n\r\n');
      if (headEnd < 0) break;
      const [first = '', ...lines] = buffer.subarray(0, headEnd).toString('latin1').split('\r\n');
      const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0);
      const headers: Record<string, string> = {};
      for (const line of lines) {
        const colon = line.indexOf(':');
        headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      const noBody = this.#methods[this.answers.length] === 'HEAD' || status === 304 || status === 204;
      const found = noBody
        ? { body: Buffer.alloc(0), end: headEnd + 4, complete: true }
        : bodyAt(buffer, headEnd + 4, headers, ended);
      if (found.body === undefined) {
        this.#needed = found.needed;
        break;
      }
      this.#needed = 0;
      this.answers.push({ status, headers, body: found.body, complete: found.complete });
      buffer = buffer.subarray(found.end);
    }
    this.#parts = [buffer];
    this.#length = buffer.length;
  }
}

type Found = { body: Buffer; end: number; complete: boolean } | { body?: undefined; needed: number };

function bodyAt(buffer: Buffer, start: number, headers: Readonly<Record<string, string>>, ended: boolean): Found {
  if ((headers['transfer-encoding'] ?? '').includes('chunked')) return chunksAt(buffer, start, ended);
  const length = headers['content-length'];
  const end = length === undefined ? (ended ? buffer.length : Infinity) : start + Number(length);
  if (buffer.length >= end) return { body: buffer.subarray(start, end), end, complete: true };
  if (!ended) return { needed: Number.isFinite(end) ? end : 0 };
  return { body: buffer.subarray(start), end: buffer.length, complete: false };
}

function chunksAt(buffer: Buffer, start: number, ended: boolean): Found {
  const parts: Buffer[] = [];
  for (let position = start; ;) {
    const lineEnd = buffer.indexOf('\r\n', position);
    const size = lineEnd < 0 ? NaN : Number.parseInt(buffer.subarray(position, lineEnd).toString('latin1'), 16);
    if (Number.isNaN(size) || lineEnd + 2 + size + 2 > buffer.length) {
      if (!ended) return { needed: 0 };
      return { body: Buffer.concat(parts), end: buffer.length, complete: false };
    }
    parts.push(buffer.subarray(lineEnd + 2, lineEnd + 2 + size));
    position = lineEnd + 2 + size + 2;
    if (size === 0) return { body: Buffer.concat(parts), end: position, complete: true };
  }
}

/** One request in HTTP/1.1 form with a Host header; `headers` are lines without their ends. */
export function requestText(method: string, target: string, host: string, headers: readonly string[] = []): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...headers, '', ''].join('\r\n');
}
