/**
 * What of URLs and request targets others may see, in the log, on the status page and in answers: names and passwords
 * before a host and queries, which may be tokens, are left out.
 */
import { parseAuthority } from './authority.ts';

const USER = '***@';
const QUERY = '?...';
/** Bounded, as it is looked for at each place of texts that may be long. */
const SCHEME = String.raw`\b[a-z][a-z0-9+.-]{0,19}:\/\/`;
const USER_IN_URL = new RegExp(String.raw`(${SCHEME})[^\s/?#]*@`, 'gi');
/** Up to the end of the word: `URL: what is wrong` goes on after it. */
const QUERY_IN_URL = new RegExp(String.raw`(${SCHEME}[^\s?#]*)[?#]\S*?(?=[:,;]?(?:\s|$))`, 'gi');
const BEFORE_HOST = /^\/*(?:[a-z][a-z0-9+.-]*:\/\/+|https\/\/\/)*/i;

/** A text with URLs in it, or one URL. */
export function withoutSecrets(text: string): string {
  if (!text.includes('://')) return text;
  const nameless = text.includes('@') ? text.replaceAll(USER_IN_URL, `$1${USER}`) : text;
  return nameless.includes('?') || nameless.includes('#') ? nameless.replaceAll(QUERY_IN_URL, `$1${QUERY}`) : nameless;
}

/** A request target as it came, which may be none that is served. */
export function shownTarget(target: string): string {
  if (!/[?#@]|%40/i.test(target)) return target;
  const before = BEFORE_HOST.exec(target)?.[0] ?? '';
  const rest = target.slice(before.length);
  const end = rest.search(/[/?#]/);
  // a password may hold `/` and `?` as well, so of what does not begin with a host only what follows the last @ is sure
  const isHost = parseAuthority(end < 0 ? rest : rest.slice(0, end)) !== undefined;
  const at = isHost ? null : /^.*(?:@|%40)/is.exec(rest);
  const nameless = at === null ? rest : `${USER}${rest.slice(at[0].length)}`;
  const query = nameless.search(/[?#]/);
  return before + (query < 0 ? nameless : `${nameless.slice(0, query)}${QUERY}`);
}

/** What stands where a host should; undefined when it may be a password. */
export function shownAuthority(authority: string): string | undefined {
  // what follows a colon is a port, or part of an IPv6 address without brackets, or else a password that holds a slash
  const odd = /:(?!\d*$)/.test(authority) && !/^[[\]0-9a-f:.]+$/i.test(authority);
  return odd || /@|%40/i.test(authority) ? undefined : authority.slice(0, 80);
}
