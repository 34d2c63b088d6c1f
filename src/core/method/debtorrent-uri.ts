/**
 * `debtorrent://DAEMON[:PORT]/MIRROR/PATH` taken apart: where the daemon is, what to ask it for, and where the same
 * file is without it.
 */
import { DebtorrentError } from '../errors.ts';

export interface DebtorrentUri {
  /** Name or address of the daemon's machine, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Request target, in prefix form: `/MIRROR/PATH` or `/HTTPS///MIRROR/PATH`. */
  readonly target: string;
  /** The file on the mirror itself. */
  readonly direct: string;
}

export const DEFAULT_PORT = 9988;

const URI = /^debtorrent:\/\/(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::(\d{1,5}))?(\/.*)$/i;
const TARGET = /^\/[\x21-\x7e]+$/;
const MAX_URI = 8192;

/**
 * @param encoded whether APT sends URIs as they are; else their paths are decoded and have to be encoded again.
 * @throws DebtorrentError BAD_TARGET
 */
export function parseDebtorrentUri(uri: string, encoded: boolean): DebtorrentUri {
  if (uri.length > MAX_URI) throw bad(`the URI is longer than ${MAX_URI} bytes`);
  const [, ipv6, name, portText, path = ''] = URI.exec(uri) ?? [];
  const host = ipv6 ?? name;
  if (host === undefined) throw bad('the URI is not debtorrent://DAEMON[:PORT]/MIRROR/PATH');
  const port = portText === undefined ? DEFAULT_PORT : Number(portText);
  if (port < 1 || port > 65535) throw bad(`${port} is no port`);
  const target = encoded ? path : encodeURI(path);
  if (!TARGET.test(target)) throw bad('a space, a control character or a byte that is not ASCII in the URI');
  return { host, port, target, direct: directUri(target) };
}

function directUri(target: string): string {
  const [, scheme = 'http', mirror = '', path = ''] = /^\/(?:(https)\/\/\/)?([^/]+)(\/.*)$/i.exec(target) ?? [];
  if (!/^[\w.:[\]%-]+$/.test(mirror)) throw bad('the URI names no mirror');
  return `${scheme.toLowerCase()}://${mirror}${path}`;
}

function bad(message: string): DebtorrentError {
  return new DebtorrentError('BAD_TARGET', message);
}
