/** What is used of undici's parser, which undici keeps at its socket under a symbol; tests say when that changes. */
import type { Socket } from 'node:net';

export interface UndiciParser {
  paused: boolean;
  readonly ptr: number | null;
  readonly llhttp: { llhttp_resume(ptr: number): void };
  /** Names and values of the head that is being read, by turns: parts of the chunks that came. */
  readonly headers: Buffer[];
  resume(): void;
}

const NAME = 'parser';
let symbol: symbol | undefined;

/** Undefined before undici has taken the socket, and after it has left it. */
export function parserOf(socket: Socket): UndiciParser | undefined {
  symbol ??= Object.getOwnPropertySymbols(socket).find(({ description }) => description === NAME);
  return (symbol && (socket as unknown as Record<symbol, UndiciParser | null>)[symbol]) ?? undefined;
}

/** Copies what the parser keeps of a chunk whose memory is used again: the head, as far as it has come. */
export function keepHead(socket: Socket): void {
  const headers = parserOf(socket)?.headers;
  if (headers === undefined || headers.length === 0) return;
  for (const [index, part] of headers.entries()) headers[index] = Buffer.from(part);
}
