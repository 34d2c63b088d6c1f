/**
 * What a request line asks for, over all the forms that clients use: the daemon's own pages, a mirror's file in
 * prefix or proxy form, with `HTTPS///` for TLS, or a tunnel. Everything ambiguous is refused: two programs that read
 * one request in two ways are how requests are smuggled.
 */
import { DebtorrentError } from '../errors.ts';
import type { MirrorUrl } from '../ids.ts';
import { formatAuthority, parseAuthority, type Authority } from './authority.ts';
import { MAX_TARGET_BYTES, mirrorRequest, mirrorUrl } from './mirror-url.ts';

type MirrorTarget = Extract<Target, { kind: 'mirror' }>;

export type Target =
  | { readonly kind: 'own'; /** One of OWN_PATHS. */ readonly path: string; readonly query: string }
  | {
      readonly kind: 'mirror';
      readonly url: MirrorUrl;
      /** A host without a path, where that is not the same. */ readonly bare?: true;
    }
  | { readonly kind: 'tunnel'; readonly host: string; readonly port: number };

/** Names and addresses by which the daemon is reached. */
export interface OwnNames {
  /** Canonical hosts (authority.ts): `localhost`, this machine's name, its addresses. */
  readonly hosts: ReadonlySet<string>;
  /** The port that it listens on. */
  readonly port: number;
}

export const OWN_PATHS: ReadonlySet<string> = new Set([
  '/',
  '/status.json',
  '/status.events',
  '/metrics',
  '/healthz',
  '/readyz',
]);

/**
 * @param target the request target, raw as it stood in the request line.
 * @param hostHeader the Host header; undefined when there was none (HTTP/1.0).
 * @throws DebtorrentError BAD_REQUEST or BAD_TARGET; MISDIRECTED for an own page under a foreign Host header (DNS
 *   rebinding).
 */
export function parseTarget(method: string, target: string, hostHeader: string | undefined, own: OwnNames): Target {
  if (target.length > MAX_TARGET_BYTES) throw bad(`the target is longer than ${MAX_TARGET_BYTES} bytes`);
  const host = hostHeader === undefined ? undefined : parseAuthority(hostHeader);
  if (hostHeader !== undefined && !host) throw new DebtorrentError('BAD_REQUEST', 'the Host header is no HOST[:PORT]');
  if (method === 'CONNECT') return tunnel(target, host);
  if (target.startsWith('/')) return originForm(target, host, own);
  return proxyForm(target, host, own);
}

/**
 * A file of a mirror in prefix form, without a request around it.
 * @throws DebtorrentError BAD_TARGET also for one of the daemon's own pages.
 */
export function mirrorTarget(target: string, own: OwnNames): MirrorUrl {
  const parsed = parseTarget('GET', target, undefined, own);
  if (parsed.kind !== 'mirror') throw bad('no file of a mirror');
  return parsed.url;
}

function tunnel(target: string, hostHeader: Authority | undefined): Target {
  const authority = parseAuthority(target);
  if (!authority?.port) throw bad('CONNECT needs HOST:PORT');
  if (hostHeader && hostHeader.host !== authority.host) throw otherHost();
  return { kind: 'tunnel', host: authority.host, port: authority.port };
}

function proxyForm(target: string, hostHeader: Authority | undefined, own: OwnNames): Target {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/.exec(target);
  const [, scheme = '', authorityText = '', rest = ''] = match ?? [];
  if (scheme.toLowerCase() !== 'http') throw bad('neither a path nor an http URL');
  const authority = parseAuthority(authorityText);
  if (!authority) throw bad('the URL has no host, or a user name');
  const port = authority.port ?? 80;
  if (hostHeader && (hostHeader.host !== authority.host || (hostHeader.port ?? 80) !== port)) throw otherHost();
  if (authority.host === 'https' && rest.startsWith('///')) return overTls(rest.slice(3), own);
  if (own.hosts.has(authority.host) && port === own.port) return originForm(rest || '/', authority, own);
  return mirror('http', authorityText, rest, own);
}

function originForm(target: string, hostHeader: Authority | undefined, own: OwnNames): Target {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  if (OWN_PATHS.has(path)) {
    if (hostHeader && !own.hosts.has(hostHeader.host)) {
      throw new DebtorrentError('MISDIRECTED', `'${hostHeader.host}' is no name of this daemon`);
    }
    return { kind: 'own', path, query: question < 0 ? '' : target.slice(question + 1) };
  }
  const tls = /^\/https\/\/\//i.exec(target);
  if (tls) return overTls(target.slice(tls[0].length), own);
  return prefixed('http', target.slice(1), own);
}

function overTls(hostAndPath: string, own: OwnNames): Target {
  return prefixed('https', hostAndPath, own);
}

/** Where the host is a part of the path, links of its first page lead elsewhere unless that ends in a slash. */
function prefixed(scheme: 'http' | 'https', hostAndPath: string, own: OwnNames): Target {
  const [authority, rest] = splitAuthority(hostAndPath);
  const target = mirror(scheme, authority, rest, own);
  return rest.startsWith('/') ? target : { ...target, bare: true };
}

function mirror(scheme: 'http' | 'https', authority: string, rest: string, own: OwnNames): MirrorTarget {
  if (rest.includes('#')) throw bad('a fragment');
  const url = mirrorUrl(scheme, authority, rest);
  const { host, port } = mirrorRequest(url);
  if (own.hosts.has(host) && port === own.port) throw bad(`${formatAuthority(host, port)} is this daemon itself`);
  return { kind: 'mirror', url };
}

/** `HOST[:PORT]/PATH` to its two halves; brackets and the colon may come percent-encoded in a path. */
function splitAuthority(text: string): [authority: string, rest: string] {
  const end = text.search(/[/?#]/);
  const authority = end < 0 ? text : text.slice(0, end);
  const decoded = authority.replaceAll(/%3a|%5b|%5d/gi, (code) => decodeURIComponent(code));
  return [decoded, end < 0 ? '' : text.slice(end)];
}

function bad(message: string): DebtorrentError {
  return new DebtorrentError('BAD_TARGET', message);
}

function otherHost(): DebtorrentError {
  return new DebtorrentError('BAD_REQUEST', 'the Host header names another host than the request target');
}
