/**
 * What node:http lets through and this proxy does not: anything that two programs could read in two ways. Bare line
 * feeds, spaces before colons, folded lines and double framing are refused by the parser itself.
 */
import type { IncomingMessage } from 'node:http';

import { DebtorrentError } from '../core/errors.ts';

/** Header fields that must not stand twice: which one counts is a matter of taste (RFC 9112 section 11.2). */
const ONCE = new Set(['host', 'content-length', 'range', 'if-range', 'if-modified-since', 'authorization']);
const METHODS = new Set(['GET', 'HEAD', 'CONNECT']);

/** @throws DebtorrentError BAD_REQUEST or METHOD_NOT_ALLOWED */
export function checkRequest(req: IncomingMessage): void {
  const { method = '', httpVersionMajor, httpVersionMinor, rawHeaders } = req;
  if (!METHODS.has(method)) throw new DebtorrentError('METHOD_NOT_ALLOWED', `${method} is not served`);
  if (httpVersionMajor !== 1) throw new DebtorrentError('BAD_REQUEST', 'only HTTP/1.0 and HTTP/1.1 are served');
  let seen: string[] | undefined;
  let host = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase();
    if (name === 'host') host = true;
    if (name === 'transfer-encoding' || (name === 'content-length' && rawHeaders[index + 1] !== '0')) {
      throw new DebtorrentError('BAD_REQUEST', `a ${method} with a body`);
    }
    if (!ONCE.has(name)) continue;
    seen ??= [];
    if (seen.includes(name)) throw new DebtorrentError('BAD_REQUEST', `more than one ${name} header`);
    seen.push(name);
  }
  if (!host && httpVersionMinor === 1) throw new DebtorrentError('BAD_REQUEST', 'HTTP/1.1 without a Host header');
}
