/** The last answer on a connection that no ServerResponse belongs to, and the end of that connection. */
import type { Duplex } from 'node:stream';

import { ERRORS, type DebtorrentError } from '../core/errors.ts';
import { errorHeaders, errorLine, TEXT_TYPE } from './answer.ts';

/** For a client to read the last that it is sent, in milliseconds. */
export const LINGER_MS = 5_000;
const REASONS: Readonly<Record<number, string>> = { 400: 'Bad Request', 408: 'Request Timeout' };

/** Answers with the error and ends the connection. */
export function endWith(socket: Duplex, error: DebtorrentError): void {
  socket.on('error', () => socket.destroy());
  endIn(socket, LINGER_MS);
  socket.end(rawError(error));
}

/**
 * Closes the connection after `ms` milliseconds if it is still there. What the client sends until then is thrown away:
 * the end of what nobody reads is never noticed.
 */
export function endIn(socket: Duplex, ms: number): void {
  const timer = setTimeout(() => socket.destroy(), ms);
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
}

function rawError(error: DebtorrentError): string {
  const body = errorLine(error);
  const { status } = ERRORS[error.code];
  const headers = {
    'Content-Type': TEXT_TYPE,
    'Content-Length': Buffer.byteLength(body),
    ...errorHeaders(error.code),
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${REASONS[status] ?? 'Refused'}\r\n${lines.join('')}\r\n${body}`;
}
