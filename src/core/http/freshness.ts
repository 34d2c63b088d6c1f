/**
 * For how long an unsigned file from a mirror may be served without asking again: RFC 9111 section 4.2, for a shared
 * cache. Signed content does not come here: it is what its hash says, for good.
 */
import { parseHttpDate } from './http-date.ts';

/** Looks up a header of the mirror's answer by its lower-case name. */
export type HeaderOf = (name: string) => string | undefined;

const HEURISTIC_SHARE = 0.1;
const HEURISTIC_MIN_MS = 5_000;
const HEURISTIC_MAX_MS = 3_600_000;
/** Longer explicit lifetimes are cut: names of unsigned files get new content now and then, whatever was promised. */
const LONGEST_MS = 365 * 86_400_000;
/** Of an answer without Cache-Control. */
const NONE: ReadonlyMap<string, string> = new Map();

/** False: nothing may be kept beyond the clients that wait for it now (no-store, private, `Vary: *`). */
export function isStorable(header: HeaderOf): boolean {
  const directives = parseCacheControl(header('cache-control'));
  return !directives.has('no-store') && !directives.has('private') && header('vary')?.trim() !== '*';
}

/**
 * Milliseconds from now in which the answer may be served without asking the mirror; 0 when it has to be asked.
 * @param now milliseconds since the epoch at which the answer arrived.
 */
export function freshnessOf(header: HeaderOf, now: number): number {
  const directives = parseCacheControl(header('cache-control'));
  if (directives.has('no-cache') || !isStorable(header)) return 0;
  const date = parseHttpDate(header('date'), now) ?? now;
  // section 4.2.3: a cache on the way may have kept it without saying so in Age
  const age = Math.max((deltaSeconds(header('age')) ?? 0) * 1000, now - date);
  return Math.max(0, Math.min(lifetimeMs(header, directives, date), LONGEST_MS) - age);
}

/**
 * What a request says (sections 5.2.1 and 5.4): it is not to be answered without asking the mirror. Of any age but 0
 * nothing is known here.
 */
export function asksMirror(cacheControl: string | undefined, pragma: string | undefined): boolean {
  if (cacheControl === undefined) return pragma !== undefined && parseCacheControl(pragma).has('no-cache');
  const directives = parseCacheControl(cacheControl);
  return directives.has('no-cache') || deltaSeconds(directives.get('max-age')) === 0;
}

/** Section 5.2.1.7: nobody else is to be asked for it. */
export function wantsCachedOnly(cacheControl: string | undefined): boolean {
  return cacheControl !== undefined && parseCacheControl(cacheControl).has('only-if-cached');
}

function lifetimeMs(header: HeaderOf, directives: ReadonlyMap<string, string>, date: number): number {
  for (const name of ['s-maxage', 'max-age']) {
    if (directives.has(name)) return (deltaSeconds(directives.get(name)) ?? 0) * 1000;
  }
  const expires = header('expires');
  // an Expires that is no date, such as 0, is in the past (RFC 9111 section 5.3)
  if (expires !== undefined) return Math.max(0, (parseHttpDate(expires, date) ?? date) - date);
  const lastModified = parseHttpDate(header('last-modified'), date);
  if (lastModified === undefined) return 0;
  return Math.min(Math.max((date - lastModified) * HEURISTIC_SHARE, HEURISTIC_MIN_MS), HEURISTIC_MAX_MS);
}

/** Directive names in lower case to their arguments; the first of two of a name counts. */
function parseCacheControl(header: string | undefined): ReadonlyMap<string, string> {
  if (header === undefined) return NONE;
  const directives = new Map<string, string>();
  for (const match of header.matchAll(/([A-Za-z0-9_-]+)(?:=(?:"([^"]*)"|([^\s,;"]*)))?[^,]*(?:,|$)/g)) {
    const name = match[1]?.toLowerCase() ?? '';
    if (!directives.has(name)) directives.set(name, match[2] ?? match[3] ?? '');
  }
  return directives;
}

/** Section 1.2.2: what overflows is the greatest value. */
function deltaSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Math.min(Number(text), 2 ** 31) : undefined;
}
