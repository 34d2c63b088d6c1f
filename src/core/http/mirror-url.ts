/**
 * Making and taking apart MirrorUrls. Files are looked up by them, so each file of a mirror must have one spelling
 * however a client writes it (`%2b` and `+`), and no spelling may reach outside of what it says (`..`, `%00`).
 */
import { DebtorrentError } from '../errors.ts';
import type { MirrorUrl } from '../ids.ts';
import { parseAuthority, urlHost } from './authority.ts';
import { shownAuthority } from './shown.ts';

export type Scheme = 'http' | 'https';

/** What a request to the mirror needs. */
export interface MirrorRequest {
  readonly scheme: Scheme;
  /** Canonical, without brackets: for rules, DNS and TLS. */
  readonly host: string;
  readonly port: number;
  /** `http://host[:port]`: for the Host header and for pools of connections. */
  readonly origin: string;
  /** Path and query for the request line. Only what RFC 3986 requires is encoded: `+` and `~` are literal. */
  readonly target: string;
}

const DEFAULT_PORT: Readonly<Record<Scheme, number>> = { http: 80, https: 443 };
/** Bytes of a path, query included; longer ones are refused (RFC 9110 section 4.1 asks for 8000 at least). */
export const MAX_TARGET_BYTES = 8192;

/** unreserved, sub-delims, `:` and `@`: what a path segment may hold unencoded (RFC 3986 section 3.3). */
const PCHAR = /[A-Za-z0-9\-._~!$&'()*+,;=:@]/;
/** What of a path is not already as it should be; most paths have none of it. */
const ENCODED_OR_ODD = /%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g;
const DOT_SEGMENT = /(?:^|\/|%2F)\.{1,2}(?:\/|%2F|$)/;

/**
 * @param target path, which begins with `/` or is empty, and query, from a request line or a URL.
 * @throws DebtorrentError BAD_TARGET
 */
export function mirrorUrl(scheme: Scheme, authority: string, target: string): MirrorUrl {
  if (target.length > MAX_TARGET_BYTES) throw bad(`the path is longer than ${MAX_TARGET_BYTES} bytes`);
  const parsed = parseAuthority(authority);
  if (!parsed) {
    const shown = shownAuthority(authority);
    throw bad(shown === undefined ? 'a user name, or no host, before the path' : `'${shown}' is no host`);
  }
  if (parsed.port === 0) throw bad('port 0');
  const port = parsed.port === undefined || parsed.port === DEFAULT_PORT[scheme] ? '' : `:${parsed.port}`;
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : canonicalQuery(target.slice(question));
  return `${scheme}://${urlHost(parsed.host)}${port}${canonicalPath(path || '/')}${query}` as MirrorUrl;
}

/**
 * Parses an absolute http or https URL, such as the Location of a redirect (resolve a relative one first) or a
 * mirror in the configuration.
 * @throws DebtorrentError BAD_TARGET
 */
export function parseMirrorUrl(text: string): MirrorUrl {
  const match = /^(https?):\/\/([^/?#]*)([^#]*)$/i.exec(text);
  if (!match) throw bad('no http or https URL, or one with a fragment');
  const [, scheme = '', authority = '', target = ''] = match;
  return mirrorUrl(scheme.toLowerCase() as Scheme, authority, target);
}

/** Takes a MirrorUrl apart; never throws for one that was made here. */
export function mirrorRequest(url: MirrorUrl): MirrorRequest {
  const afterScheme = url.indexOf('://') + 3;
  const slash = url.indexOf('/', afterScheme);
  const scheme = url.startsWith('https:') ? 'https' : 'http';
  const authority = parseAuthority(url.slice(afterScheme, slash));
  if (!authority) throw bad('no MirrorUrl');
  return {
    scheme,
    host: authority.host,
    port: authority.port ?? DEFAULT_PORT[scheme],
    origin: url.slice(0, slash),
    target: url.slice(slash),
  };
}

/** Decodes what may be decoded, encodes what must be, and refuses what could be read in two ways. */
function canonicalPath(path: string): string {
  if (!path.startsWith('/')) throw bad("the path does not begin with '/'");
  let canonical = path.replaceAll(ENCODED_OR_ODD, canonicalCharacter);
  if (!canonical.includes('/.') && !canonical.includes('%2F')) return canonical;
  // APT asks flat repositories for `/flat/./Packages`: the segment means nothing (RFC 3986 section 5.2.4)
  canonical = canonical.replaceAll(/(?:\/\.)+\//g, '/').replace(/\/\.$/, '/');
  // an encoded slash is kept as it is, but a mirror may decode it: it separates segments here
  if (DOT_SEGMENT.test(canonical)) throw bad("'.' or '..' in the path");
  return canonical;
}

function canonicalCharacter(text: string, digits: string | undefined): string {
  if (text === '%') throw bad('% without two hexadecimal digits');
  const code = digits === undefined ? text.charCodeAt(0) : Number.parseInt(digits, 16);
  if (code > 0x7e && digits === undefined) throw bad('a byte that is not ASCII');
  if (code < 0x20 || code === 0x7f) throw bad('a control character');
  if (code === 0x5c) throw bad('a backslash');
  const char = String.fromCharCode(code);
  return PCHAR.test(char) ? char : `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Queries mean what the mirror makes of them: kept as they are if they are safe to send. */
function canonicalQuery(query: string): string {
  if (!/^[\x21-\x7e]*$/.test(query) || query.includes('#')) throw bad('a character that no query may hold');
  if (/%(?![0-9A-Fa-f]{2})|%0[0-9A-Fa-f]|%1[0-9A-Fa-f]|%7f/i.test(query)) throw bad('a bad or control % in the query');
  return query;
}

function bad(message: string): DebtorrentError {
  return new DebtorrentError('BAD_TARGET', message);
}
