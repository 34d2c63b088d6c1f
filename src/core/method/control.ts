/**
 * The messages between the APT method and the daemon about a transaction: what APT wants, and what has arrived. They
 * are lines of JSON on a connection made by CONNECT (RFC 9110 section 9.3.6); the files themselves are fetched by
 * ordinary requests beside it. Both ends take nothing for granted of what the other writes.
 */
import { ERRORS, type ErrorCode } from '../errors.ts';
import { parseSha256, type Sha256 } from '../ids.ts';

/**
 * Authority that the method asks for by CONNECT: no host can have a name below `invalid` (RFC 2606), so this can be
 * nothing but the daemon itself. The port is the version of the protocol.
 */
export const CONTROL_TARGET = 'apt-method.invalid:1';
/** Request header with the SHA-256 that APT expects of the file. */
export const EXPECTED_HEADER = 'X-Debtorrent-Expected-SHA256';

/** A file that APT will ask for. */
export interface Want {
  /** The method's own number for it, unique on the connection. */
  readonly id: number;
  /** Request target, in prefix form. */
  readonly target: string;
  readonly sha256: Sha256;
  /** Bytes as APT expects them; only for deciding what to fetch first. */
  readonly size: number;
}

/** From the method to the daemon. */
export interface MethodMessage {
  readonly want?: readonly Want[];
  /** Wants that are over: delivered, or not wanted any more. */
  readonly over?: readonly number[];
}

export interface WantFailure {
  readonly id: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What goes on in the daemon as a whole. */
export interface DaemonFigures {
  /** Peers that it is linked with. */
  readonly peers: number;
  /** Bytes since its start. */
  readonly fromPeers: number;
  readonly fromMirror: number;
}

/** From the daemon to the method. */
export interface DaemonMessage {
  /** Wants whose files can be fetched without waiting. */
  readonly ready?: readonly number[];
  readonly failed?: readonly WantFailure[];
  readonly figures?: DaemonFigures;
}

/** Wants in one message, and characters of a line: more than either side writes. */
export const MAX_BATCH = 256;
const MAX_LINE = 4 * 1024 * 1024;
const MAX_TARGET = 8192;
const MAX_TEXT = 1000;

/** What the other side writes is no message of this protocol. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

export function encodeControl(message: MethodMessage | DaemonMessage): string {
  return `${JSON.stringify(message)}\n`;
}

/** Takes lines out of a stream of text that may be cut anywhere. */
export class LineReader {
  #rest = '';

  /** @throws ControlError for a line without an end. */
  push(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE) throw new ControlError('a line without an end');
    return lines.filter((line) => line !== '');
  }
}

/** @throws ControlError */
export function decodeMethodMessage(line: string): MethodMessage {
  const { want, over } = parseObject(line);
  return {
    ...(want !== undefined && { want: list(want, readWant) }),
    ...(over !== undefined && { over: list(over, readId) }),
  };
}

/** @throws ControlError */
export function decodeDaemonMessage(line: string): DaemonMessage {
  const { ready, failed, figures } = parseObject(line);
  return {
    ...(ready !== undefined && { ready: list(ready, readId) }),
    ...(failed !== undefined && { failed: list(failed, readFailure) }),
    ...(figures !== undefined && { figures: readFigures(figures) }),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parseObject(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new ControlError('a line that is no JSON');
  }
  return asFields(value);
}

function asFields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ControlError('no object');
  return value as Fields;
}

function list<T>(value: unknown, read: (each: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > MAX_BATCH) throw new ControlError('no list, or one that is too long');
  return value.map(read);
}

function readId(value: unknown): number {
  return count(value);
}

function readWant(value: unknown): Want {
  const { id, target, sha256, size } = asFields(value);
  const hash = typeof sha256 === 'string' ? parseSha256(sha256) : undefined;
  if (typeof target !== 'string' || !target.startsWith('/') || target.length > MAX_TARGET || hash === undefined) {
    throw new ControlError('a want without a target or a SHA-256');
  }
  return { id: count(id), target, sha256: hash, size: count(size) };
}

function readFailure(value: unknown): WantFailure {
  const { id, code, message } = asFields(value);
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code) || typeof message !== 'string') {
    throw new ControlError('a failure without a code or a message');
  }
  return { id: count(id), code: code as ErrorCode, message: message.slice(0, MAX_TEXT) };
}

function readFigures(value: unknown): DaemonFigures {
  const { peers, fromPeers, fromMirror } = asFields(value);
  return { peers: count(peers), fromPeers: count(fromPeers), fromMirror: count(fromMirror) };
}

function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new ControlError('no count');
  return value as number;
}
