/**
 * Which hosts may be fetched from: the compiled form of --allow-mirror.
 *
 * A pattern is `HOST` or `HOST:PORT`; without a port it stands for every port. `*` in a host stands for any run of
 * characters, dots included. `*` alone is any host. An IPv4 pattern may end in wildcards (`192.168.1.*`, `10.*`).
 */
import { canonicalHost, isIpLiteral, parseAuthority } from './http/authority.ts';
import { DebtorrentError } from './errors.ts';

export interface HostDecision {
  readonly allowed: boolean;
  /**
   * The host is written out in the configuration (or lies in a listed range of IPv4 addresses), so it may be, or
   * resolve to, an address that is not public. False whenever `allowed` is.
   */
  readonly named: boolean;
}

export interface HostRules {
  /** @param host canonical (see authority.ts); anything else is refused. */
  decide(host: string, port: number): HostDecision;
  /** The same for CONNECT: port 443, or a port that a matching pattern gives. */
  decideTunnel(host: string, port: number): HostDecision;
}

interface Rule {
  readonly matches: (host: string) => boolean;
  readonly port: number | undefined;
  readonly named: boolean;
}

/** Used when the configuration lists none: the hosts of Debian's and Ubuntu's archives. */
export const DEFAULT_MIRRORS: readonly string[] = ['*.debian.org', '*.ubuntu.com'];

const TLS_PORT = 443;
const REFUSED: HostDecision = { allowed: false, named: false };

/** @throws DebtorrentError CONFIG_INVALID for a pattern that can match no host. */
export function compileHostRules(patterns: readonly string[]): HostRules {
  const rules = (patterns.length > 0 ? patterns : DEFAULT_MIRRORS).map(compile);
  const decideBy = (host: string, filter: (rule: Rule) => boolean): HostDecision => {
    if (canonicalHost(host.includes(':') ? `[${host}]` : host) !== host) return REFUSED;
    const matching = rules.filter((rule) => filter(rule) && rule.matches(host));
    return matching.length === 0 ? REFUSED : { allowed: true, named: matching.some((rule) => rule.named) };
  };
  return {
    decide: (host, port) => decideBy(host, (rule) => rule.port === undefined || rule.port === port),
    decideTunnel: (host, port) =>
      decideBy(host, (rule) => rule.port === port || (rule.port === undefined && port === TLS_PORT)),
  };
}

function compile(pattern: string): Rule {
  const [, hostPattern = '', portText] = /^(.*?)(?::(\d{1,5}))?$/.exec(pattern) ?? [];
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65535)) throw invalid(pattern);
  if (!hostPattern.includes('*')) {
    const host = parseAuthority(hostPattern)?.host;
    if (host === undefined) throw invalid(pattern);
    return { matches: (other) => other === host, port, named: true };
  }
  const prefix = ipv4Prefix(hostPattern);
  if (prefix !== undefined) {
    return { matches: (host) => isIpLiteral(host) && host.startsWith(prefix), port, named: true };
  }
  const glob = hostPattern.toLowerCase();
  // each * is replaced by something that a host may contain: what is then no host can match none
  if (glob.startsWith('[') || canonicalHost(glob.replaceAll('*', 'a')) === undefined) throw invalid(pattern);
  const pieces = glob.split(/\*+/);
  return { matches: (host) => globMatches(pieces, host), port, named: false };
}

/** `192.168.1.*` and `192.168.*.*` to `192.168.1.` and `192.168.`; undefined for other patterns. */
function ipv4Prefix(pattern: string): string | undefined {
  const match = /^((?:\d{1,3}\.){1,3})\*(?:\.\*)*$/.exec(pattern);
  if (!match?.[1] || pattern.split('.').length > 4) return undefined;
  const octets = match[1].split('.').slice(0, -1);
  return octets.every((octet) => /^(?:0|[1-9]\d*)$/.test(octet) && Number(octet) < 256) ? match[1] : undefined;
}

/** Leftmost search of each piece: linear, where a regular expression with several `.*` is not. */
function globMatches(pieces: readonly string[], host: string): boolean {
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (host.length < first.length + last.length || !host.startsWith(first) || !host.endsWith(last)) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = host.indexOf(piece, at);
    if (found < 0 || found + piece.length > host.length - last.length) return false;
    at = found + piece.length;
  }
  return true;
}

function invalid(pattern: string): DebtorrentError {
  return new DebtorrentError('CONFIG_INVALID', `'${pattern}' is no HOST or HOST:PORT pattern`);
}
