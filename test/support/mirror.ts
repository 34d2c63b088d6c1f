/**
 * A real HTTP/1.1 server over a directory, on a socket of its own making, so that it can count every byte and break
 * every rule. Connections are kept alive and pipelined requests are answered in order.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { answerFor } from './mirror-content.ts';
import type { Answer } from './mirror-content.ts';
import { parseRequest } from './mirror-fault.ts';
import type { Fault, MirrorRequest } from './mirror-fault.ts';
import { freeLowPort } from '../../scripts/support/scope.ts';
import { sleep } from './process.ts';

/** Paths that a rule is for: one path, or what a pattern or a test of the request says. */
export type Match = string | RegExp | ((request: MirrorRequest) => boolean);

interface Rule {
  readonly match: Match;
  readonly fault: Fault;
  left: number;
}

export interface MirrorOptions {
  readonly root: string;
  /** PEM texts; the mirror then speaks TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Loopback address to listen on, and port; 127.0.0.1 and one that is free, below 32768. */
  readonly address?: string;
  readonly port?: number;
  /** Bytes a second of each connection. */
  readonly connectionRate?: number;
}

const MAX_HEAD = 65_536;
const CHUNK = 128 * 1024;

class Closed extends Error {}

export class Mirror {
  readonly #options: MirrorOptions;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #rules: Rule[] = [];
  #port: number;
  readonly #address: string;
  /** Connections accepted so far. */
  connections = 0;
  /** Requests in order of arrival. */
  readonly log: MirrorRequest[] = [];

  private constructor(options: MirrorOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
    this.#address = options.address ?? '127.0.0.1';
    const accept = (socket: Socket): void => void this.#serve(socket);
    this.#server = options.tls === undefined ? createServer(accept) : createTlsServer(options.tls, accept);
    // Also those that have not finished their TLS handshake are dropped when the mirror goes down.
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    // A client may leave in the middle of a TLS handshake.
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(options: MirrorOptions): Promise<Mirror> {
    // None of those that the system gives out: somebody else could be given it while the mirror is down.
    const mirror = new Mirror({ ...options, port: options.port ?? (await freeLowPort()) });
    await mirror.up();
    return mirror;
  }

  /** `127.0.0.1:PORT`, as an allow-mirror */
  get host(): string {
    return `${this.#address}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${this.host}`;
  }

  /** Misbehaves towards requests that match, at most `times` times; later rules win. Returns how to end it. */
  rule(match: Match, fault: Fault, times = Infinity): () => void {
    const rule = { match, fault, left: times };
    this.#rules.unshift(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  clearRules(): void {
    this.#rules = [];
  }

  requests(match: Match): MirrorRequest[] {
    return this.log.filter((request) => matches(match, request));
  }

  /** Bytes of bodies sent for what matches. */
  bytes(match: Match): number {
    return this.requests(match).reduce((sum, { sent }) => sum + sent, 0);
  }

  /** How often the whole file at `path` was sent, ranges added up: 1 for one download. */
  copies(path: string): number {
    const size = Math.max(...this.requests(path).map((request) => request.size), 0);
    return size === 0 ? 0 : this.bytes(path) / size;
  }

  forget(): void {
    this.log.length = 0;
  }

  /** Refuses connections and drops those there are, until `up`. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.dropConnections();
    await closed;
  }

  /** Listens, on the same port as before. */
  async up(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, this.#address, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.down();
  }

  async #serve(socket: Socket): Promise<void> {
    const id = (this.connections += 1);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    let buffered = '';
    let ended = false;
    let wake = (): void => undefined;
    socket.on('data', (data) => {
      buffered += data.toString('latin1');
      wake();
    });
    socket.on('close', () => {
      ended = true;
      wake();
    });
    socket.on('end', () => wake());
    while (!ended) {
      const end = buffered.indexOf('\r\n\r\n');
      if (end < 0) {
        if (buffered.length > MAX_HEAD || socket.readableEnded) return void socket.destroy();
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      const request = parseRequest(buffered.slice(0, end), id);
      buffered = buffered.slice(end + 4);
      if (request === undefined) return void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
      try {
        await this.#answer(socket, request);
      } catch (error) {
        if (!(error instanceof Closed)) throw error;
        return void socket.destroy();
      }
    }
  }

  async #answer(socket: Socket, request: MirrorRequest): Promise<void> {
    this.log.push(request);
    const rule = this.#rules.find(({ match, left }) => left > 0 && matches(match, request));
    if (rule !== undefined) rule.left -= 1;
    const fault = rule?.fault ?? {};
    await closing(socket, fault.hold);
    if (fault.delayMs !== undefined) await closing(socket, sleep(fault.delayMs));
    if (fault.reset === true) {
      socket.resetAndDestroy();
      throw new Closed();
    }
    if (fault.raw !== undefined) {
      socket.end(fault.raw);
      request.done = true;
      return;
    }
    const answer = await answerFor(this.#options.root, request, fault);
    request.status = answer.status;
    const last = fault.closeDelimited === true || request.headers['connection'] === 'close';
    await write(socket, head(answer, fault, last));
    if (request.method !== 'HEAD') await this.#sendBody(socket, request, answer.body, fault);
    request.done = true;
    if (last) socket.end();
  }

  async #sendBody(socket: Socket, request: MirrorRequest, body: Buffer, fault: Fault): Promise<void> {
    const rate = fault.rate ?? this.#options.connectionRate;
    const chunk = rate === undefined ? CHUNK : Math.max(Math.ceil(rate / 50), 1);
    const stops = [fault.stallAt, fault.truncateAt, fault.resetAt].filter((stop) => stop !== undefined);
    let slow = rate !== undefined;
    void fault.until?.then(() => (slow = false));
    const began = Date.now();
    for (let position = 0; ;) {
      if (position === fault.stallAt) await closing(socket, fault.until ?? new Promise(() => undefined));
      if (position === fault.truncateAt) {
        socket.end();
        throw new Closed();
      }
      if (position === fault.resetAt) {
        socket.resetAndDestroy();
        throw new Closed();
      }
      if (position >= body.length) break;
      const stop = Math.min(...stops.filter((at) => at > position), position + chunk, body.length);
      const part = body.subarray(position, stop);
      await write(
        socket,
        fault.chunked === undefined
          ? part
          : Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]),
      );
      request.sent += part.length;
      position = stop;
      if (slow && rate !== undefined) await closing(socket, sleep(began + (position / rate) * 1000 - Date.now()));
    }
    if (fault.chunked !== undefined) await write(socket, '0\r\n\r\n');
  }
}

function matches(match: Match, request: MirrorRequest): boolean {
  if (typeof match === 'string') return request.path === match;
  return match instanceof RegExp ? match.test(request.path) : match(request);
}

function head({ status, headers, body }: Answer, fault: Fault, last: boolean): string {
  const all: Record<string, string> = { ...headers, date: new Date().toUTCString(), server: 'test' };
  if (status !== 304 && fault.closeDelimited !== true && fault.chunked !== 'only') {
    all['content-length'] = fault.contentLength ?? String(body.length);
  }
  if (fault.chunked !== undefined) all['transfer-encoding'] = 'chunked';
  if (last) all['connection'] = 'close';
  Object.assign(all, fault.headers);
  const lines = Object.entries(all).filter(([, value]) => value !== '');
  return `HTTP/1.1 ${status} Status\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Waits for `what`, or throws Closed when the connection ends first. */
async function closing(socket: Socket, what: Promise<unknown> | undefined): Promise<void> {
  if (what === undefined) return;
  if (socket.destroyed) throw new Closed();
  let onClose = (): void => undefined;
  const closed = new Promise<never>((_, reject) => {
    onClose = () => reject(new Closed());
    socket.once('close', onClose);
  });
  try {
    await Promise.race([what, closed]);
  } finally {
    socket.off('close', onClose);
    closed.catch(() => undefined);
  }
}

/** Hands `data` to the kernel; throws Closed when the connection is gone. */
function write(socket: Socket, data: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed || socket.writableEnded) return reject(new Closed());
    // A write that waits when the connection closes gets an error in its callback, so this always settles.
    socket.write(data, (error) => (error ? reject(new Closed()) : resolve()));
  });
}
