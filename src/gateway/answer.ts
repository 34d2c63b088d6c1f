/** Answers that are one piece: errors, texts, headers of files. Every one has a body and a length: APT needs both. */
import type { ServerResponse } from 'node:http';

import { ERRORS, type DebtorrentError, type ErrorCode } from '../core/errors.ts';
import { formatHttpDate } from '../core/http/http-date.ts';
import { withoutSecrets } from '../core/http/shown.ts';
import type { SourceLabel } from '../core/fetch-plan.ts';
import type { FileHead } from '../actors/transfers/protocol.ts';

/** Seconds after which a client may try again what may pass. */
const RETRY_AFTER_S = 5;
const MAX_LINE = 500;
/** RFC 9110 section 7.6.3; clients need not tell one daemon from another. */
const VIA = '1.1 debtorrent';
export const TEXT_TYPE = 'text/plain; charset=utf-8';

/**
 * What a browser would run scripts of. A mirror's page has the same origin as the daemon's own here: in a sandbox (CSP
 * level 3) it has one of its own, and cannot read /status.json.
 */
const ACTIVE = /html|xml|svg|script|pdf/i;

/** One line of plain text, the status of the error's code, and the code itself. */
export function sendError(res: ServerResponse, error: DebtorrentError): void {
  const headers = errorHeaders(error.code);
  if (error.code === 'DIRECTORY') headers['Location'] = slashed(res.req.url ?? '');
  sendText(res, ERRORS[error.code].status, TEXT_TYPE, errorLine(error), headers);
}

/**
 * The same target as a directory, relative to it: that is right in whatever form it was asked for, and behind a server
 * that passes only some paths on to the daemon.
 */
function slashed(target: string): string {
  const [path = '', ...query] = target.split(/(?=[?])/);
  const name = path.slice(path.lastIndexOf('/') + 1);
  // what has a colon would be taken for a scheme (RFC 3986 section 4.2)
  return `${name.includes(':') ? './' : ''}${name}/${query.join('')}`;
}

export function errorLine({ message }: DebtorrentError): string {
  // What a mirror or client wrote may stand in the message: nothing but printable characters goes out.
  const line = withoutSecrets(message).replaceAll(/[^\x20-\x7e]/g, '?');
  return `${line.slice(0, MAX_LINE)}\n`;
}

export function errorHeaders(code: ErrorCode): Record<string, string> {
  const { status, transient } = ERRORS[code];
  return {
    'X-Debtorrent-Error': code,
    ...(transient && status >= 500 && { 'Retry-After': String(RETRY_AFTER_S) }),
    ...(code === 'METHOD_NOT_ALLOWED' && { Allow: 'GET, HEAD, CONNECT' }),
  };
}

export function sendText(
  res: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Record<string, string> = {},
): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const body = Buffer.from(text);
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length, ...headers });
  res.end(res.req.method === 'HEAD' ? undefined : body);
}

/** The entity tag of a file: its hash where that is known in advance, so that it is the same from every mirror. */
export function etagOf(head: FileHead, signed: boolean): string | undefined {
  if (head.sha256 !== undefined && (signed || head.etag === undefined)) return `"${head.sha256}"`;
  return head.etag;
}

export function fileHeaders(
  head: FileHead,
  etag: string | undefined,
  source: SourceLabel,
  stale: boolean,
  askAgain: boolean,
): Record<string, string> {
  const type = head.contentType ?? 'application/octet-stream';
  return {
    'Content-Type': type,
    ...(ACTIVE.test(type) && { 'Content-Security-Policy': 'sandbox', 'X-Content-Type-Options': 'nosniff' }),
    'Accept-Ranges': 'bytes',
    'X-Debtorrent-Source': source,
    Via: VIA,
    // for all that the mirror may have said: another cache would add its own time to that in which it was kept here
    ...(askAgain && { 'Cache-Control': 'no-cache' }),
    ...(etag !== undefined && { ETag: etag }),
    ...(head.lastModified !== undefined && { 'Last-Modified': formatHttpDate(Date.parse(head.lastModified)) }),
    // RFC 9111 dropped the Warning field; people and proxies still read it.
    ...(stale && { 'X-Debtorrent-Stale': 'the mirror cannot be asked', Warning: '110 debtorrent "Response is Stale"' }),
  };
}
