/** The last answer on a connection that no ServerResponse belongs to, and the end of that connection. */
import type { Duplex } from 'node:stream';

import { ERRORS, type DebtorrentError } from '../core/errors.ts';

/** For a client to read why it was refused, in milliseconds. */
const LINGER_MS = 5_000;
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
  const body = `${error.message.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 500)}\n`;
  const { status } = ERRORS[error.code];
  return (
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Refused'}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nX-Debtorrent-Error: ${error.code}\r\nConnection: close\r\n\r\n${body}`
  );
}
