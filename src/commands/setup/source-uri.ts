/**
 * Which address of an archive becomes which address at the daemon, and back. Only the front of an address changes:
 * what names the archive stays as it was written.
 */
import { checkHost } from '../../actors/http-backup/dns-guard.ts';
import { asDebtorrentError, DebtorrentError } from '../../core/errors.ts';
import { formatAuthority, parseAuthority } from '../../core/http/authority.ts';
import { mirrorRequest, parseMirrorUrl, type MirrorRequest } from '../../core/http/mirror-url.ts';
import type { HostRules } from '../../core/host-rules.ts';
import { mirrorListOf } from './mirror-list.ts';

export interface RewriteRules {
  /** `HOST:PORT` of the daemon as sources name it. */
  readonly daemon: string;
  /** Other spellings of it, which stand in addresses of the prefix form. */
  readonly alsoDaemon: ReadonlySet<string>;
  readonly hosts: HostRules;
  /** Files with lists of mirrors, whose lines are rewritten in place of the sources that name them. */
  readonly mirrorLists: ReadonlySet<string>;
  /** True when APT has a password for the host: only APT's own methods send it. */
  hasCredentials(host: string): boolean;
  /** The option by which APT fetches from the host by https in a way that the daemon does not know. */
  tlsOptionOf(host: string): string | undefined;
  /** Which pin tells the host that APT asks now from the daemon's: packages would get another priority. */
  pinOf(host: string): { readonly pattern: string; readonly file: string } | undefined;
}

export type Decision =
  | { readonly kind: 'change'; readonly to: string }
  | { readonly kind: 'already' }
  | { readonly kind: 'leave'; /** Completes "left, because …". */ readonly why: string };

const SCHEME = 'debtorrent';

export function decide(uri: string, rules: RewriteRules): Decision {
  const [, scheme, rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/.exec(uri) ?? [];
  if (scheme === SCHEME || rules.mirrorLists.has(mirrorListOf(uri) ?? '')) return { kind: 'already' };
  if (scheme !== 'http' && scheme !== 'https') return leave(scheme === undefined ? NO_URI : `${scheme}: ${OTHER}`);
  const [, authority = '', path = ''] = /^\/\/([^/]*)(.*)$/.exec(rest) ?? [];
  if (authority === '') return leave(NO_URI);
  if (/["?#]/.test(rest)) return leave('it has quotes, a query or a fragment');
  if (authority.includes('@')) return leave('it has a user name, which only APT itself sends');
  const host = parseAuthority(authority)?.host ?? authority.toLowerCase();
  const decision = byForm(scheme, authority, path, rules);
  if (decision.kind !== 'change') return decision;
  const option = scheme === 'https' ? rules.tlsOptionOf(host) : undefined;
  if (option !== undefined) return leave(`${option} is set, by which only APT itself goes`);
  const pin = rules.pinOf(host);
  if (!pin) return decision;
  return leave(
    `its priority would change, as ${pin.file} goes by the host (Pin: origin ${pin.pattern}); ${KEEPS_HOSTS}`,
  );
}

const KEEPS_HOSTS = 'setup --proxy leaves hosts as they are';

function byForm(scheme: string, authority: string, path: string, rules: RewriteRules): Decision {
  const named = path.startsWith('/') ? path.slice(1) : '';
  const tls = /^https$/i.test(authority) && path.startsWith('///') ? path.slice(3) : undefined;
  if (scheme === 'http' && tls !== undefined) return through(`HTTPS///${tls}`, rules);
  if (scheme === 'http' && isDaemon(authority, rules)) return through(named, rules);
  return through(scheme === 'https' ? `HTTPS///${authority}${path}` : `${authority}${path}`, rules);
}

const NO_URI = 'it is no address';
const OTHER = 'is neither http nor https';

/** @param mirror what follows the daemon's address: `HOST[:PORT]/PATH`, or `HTTPS///` and the same. */
function through(mirror: string, rules: RewriteRules): Decision {
  try {
    const { host, port } = requestFor(mirror);
    checkHost(rules.hosts, host, port);
    if (rules.hasCredentials(host)) return leave(`APT has a password for ${host}, which only APT itself sends`);
    return { kind: 'change', to: `${SCHEME}://${rules.daemon}/${mirror}` };
  } catch (error) {
    if (!(error instanceof DebtorrentError)) throw error;
    const { code, message } = asDebtorrentError(error);
    const advice = code === 'HOST_NOT_ALLOWED' || code === 'ADDRESS_NOT_ALLOWED' ? ' (see --allow-mirror)' : '';
    return leave(`${message}${advice}`);
  }
}

/** What APT will ask the daemon for; `$(ARCH)` and the like are put in by APT. */
function requestFor(mirror: string): MirrorRequest {
  const tls = /^https\/\/\/(.*)$/is.exec(mirror)?.[1];
  return mirrorRequest(parseMirrorUrl(tls === undefined ? `http://${mirror}` : `https://${tls}`));
}

function isDaemon(authority: string, { daemon, alsoDaemon }: RewriteRules): boolean {
  const parsed = parseAuthority(authority);
  const text = parsed && formatAuthority(parsed.host, parsed.port ?? 80);
  return text !== undefined && (text === daemon || alsoDaemon.has(text));
}

function leave(why: string): Decision {
  return { kind: 'leave', why };
}

/** The archive's own address; undefined when `uri` is none of the daemon's. */
export function turnBack(uri: string): string | undefined {
  const [, tls, mirror] = /^debtorrent:\/\/[^/]+\/(HTTPS\/\/\/)?(.*)$/i.exec(uri) ?? [];
  if (mirror === undefined) return undefined;
  return `${tls === undefined ? 'http' : 'https'}://${mirror}`;
}
