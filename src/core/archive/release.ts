/**
 * Reads what a Release file says (Debian wiki, RepositoryFormat), from text whose signature has been verified. A
 * signature says who wrote it, not that it is harmless: everything is bounded and what is ambiguous is refused.
 */
import { DebtorrentError } from '../errors.ts';
import { parseSha256, type Sha256 } from '../ids.ts';
import { cleanPath } from './clean-path.ts';
import { parseFields } from './deb822-text.ts';

export interface ReleaseFile {
  /** Bytes. */
  readonly size: number;
  readonly sha256: Sha256;
  /** Lower-case hexadecimal. */
  readonly md5?: string;
  readonly sha1?: string;
  readonly sha512?: string;
}

export interface Release {
  readonly origin: string;
  readonly label: string;
  readonly suite: string;
  readonly codename: string;
  readonly version: string;
  /** Milliseconds since the epoch; 0 where it has none that can be read. */
  readonly date: number;
  readonly validUntil?: number;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  readonly acquireByHash: boolean;
  /** Packages of `all` are in the indexes of each architecture, and binary-all is for others. */
  readonly noSupportForArchitectureAll: boolean;
  /** By path relative to the Release's directory; only what has a SHA-256. */
  readonly files: ReadonlyMap<string, ReleaseFile>;
  /** Lines that were left out: unusable paths, sizes or hashes. */
  readonly skipped: number;
}

/** Bytes. */
export const MAX_RELEASE_BYTES = 64 * 1024 * 1024;
export const MAX_RELEASE_FILES = 500_000;
/** Bytes; nothing that a Release lists is larger. */
export const MAX_INDEX_BYTES = 4 * 1024 ** 3;
const MAX_WORDS = 1000;
const MAX_VALUE = 1000;

/** What APT takes at the end of a date, */
const UTC = /(?:UTC|GMT|Z|[+-]0000)$/;
/** and what some archives have there: APT takes these for archives without a Date. */
const ANY_ZONE = /(?:UTC|GMT|Z|:\d\d ?[+-]\d{4})$/;

const HASH_FIELDS = { md5: ['md5sum', 32], sha1: ['sha1', 40], sha512: ['sha512', 128] } as const;

/** Throws RELEASE_MALFORMED. */
export function parseRelease(text: string): Release {
  if (text.length > MAX_RELEASE_BYTES) throw malformed('it is too large');
  const fields = parseFields(text, malformed);
  // APT only warns of small archives without a Date, or with one that nobody can read: nothing is older than them
  const date = parseDate(fields.get('date') ?? '', ANY_ZONE) ?? 0;
  const until = fields.get('valid-until') ?? '';
  const validUntil = parseDate(until, UTC);
  if (until !== '' && validUntil === undefined) throw malformed('Valid-Until cannot be read');
  const { files, skipped } = parseFiles(fields);
  return {
    origin: line(fields, 'origin'),
    label: line(fields, 'label'),
    suite: line(fields, 'suite'),
    codename: line(fields, 'codename'),
    version: line(fields, 'version'),
    date,
    ...(validUntil !== undefined && { validUntil }),
    components: words(fields, 'components'),
    architectures: words(fields, 'architectures'),
    acquireByHash: line(fields, 'acquire-by-hash').toLowerCase() === 'yes',
    noSupportForArchitectureAll: words(fields, 'no-support-for-architecture-all').includes('Packages'),
    files,
    skipped,
  };
}

/** Whether the Release must no longer be believed at that time (milliseconds since the epoch). */
export function isExpired(release: { readonly validUntil?: number }, now: number): boolean {
  return release.validUntil !== undefined && release.validUntil < now;
}

/**
 * APT allows 10 s (Acquire::Max-FutureTime). Clocks of small machines are off, by up to 14 h where one holds local time
 * for UTC, and then refusing costs the archive's verification. What is believed too early does harm for as long at most.
 */
const MAX_FUTURE_MS = 24 * 3_600_000;

/** Whether the Release is dated so far ahead that it would bar all that come until then. */
export function isFromFuture(release: { readonly date: number }, now: number): boolean {
  return release.date > now + MAX_FUTURE_MS;
}

/** Whether adopting `next` after `current` would be a step back in time. */
export function isOlder(next: { readonly date: number }, current: { readonly date: number }): boolean {
  return next.date < current.date;
}

function malformed(what: string): DebtorrentError {
  return new DebtorrentError('RELEASE_MALFORMED', `the Release file cannot be understood: ${what}`);
}

function line(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name) ?? '';
  if (value.length > MAX_VALUE || /\p{Cc}/u.test(value)) throw malformed(`${name} is no line of text`);
  return value;
}

function words(fields: ReadonlyMap<string, string>, name: string): string[] {
  const found = (fields.get(name) ?? '').split(/\s+/, MAX_WORDS + 1).filter((w) => w !== '');
  if (found.length > MAX_WORDS) throw malformed(`${name} has too many words`);
  return found;
}

/** RFC 5322 dates: `Sat, 17 May 2025 08:46:54 UTC`. */
function parseDate(value: string, zone: RegExp): number | undefined {
  if (!zone.test(value) || value.length > 64) return undefined;
  const time = Date.parse(value);
  return Number.isFinite(time) && time >= 0 ? time : undefined;
}

function parseFiles(fields: ReadonlyMap<string, string>): { files: Map<string, ReleaseFile>; skipped: number } {
  const files = new Map<string, ReleaseFile>();
  const other = new Set<string>();
  let skipped = 0;
  for (const entry of lines(fields.get('sha256') ?? '')) {
    const sha256 = parseSha256(entry?.hash ?? '');
    const known = entry && files.get(entry.path);
    // one name with two contents: neither can be told to be the right one
    if (known && (known.sha256 !== sha256 || known.size !== entry.size)) other.add(entry.path);
    if (entry && sha256 && !known) files.set(entry.path, { size: entry.size, sha256 });
    else skipped++;
    if (files.size > MAX_RELEASE_FILES || skipped > MAX_RELEASE_FILES) throw malformed('it lists too many files');
  }
  for (const path of other) files.delete(path);
  for (const [key, [field, digits]] of Object.entries(HASH_FIELDS)) addHashes(files, fields.get(field), key, digits);
  return { files, skipped: skipped + other.size };
}

/** Adds the weaker and stronger hashes, which only serve to name by-hash files. */
function addHashes(files: Map<string, ReleaseFile>, value: string | undefined, key: string, digits: number): void {
  for (const entry of lines(value ?? '')) {
    const file = entry && files.get(entry.path);
    if (!file || file.size !== entry.size || entry.hash.length !== digits) continue;
    files.set(entry.path, { ...file, [key]: entry.hash });
  }
}

interface Line {
  readonly hash: string;
  readonly size: number;
  readonly path: string;
}

/** Lines `HASH SIZE PATH`; undefined for one that is not usable. */
function* lines(value: string): IterableIterator<Line | undefined> {
  let start = 0;
  while (start < value.length) {
    const feed = value.indexOf('\n', start);
    const end = feed < 0 ? value.length : feed;
    const text = value.slice(start, end).trim();
    start = end + 1;
    if (text === '') continue;
    const match = /^([0-9A-Fa-f]{32,128})[ \t]+([0-9]{1,16})[ \t]+(\S+)$/.exec(text);
    const size = Number(match?.[2]);
    const path = match && size <= MAX_INDEX_BYTES ? cleanPath(match[3] as string) : undefined;
    yield match && path !== undefined ? { hash: (match[1] as string).toLowerCase(), size, path } : undefined;
  }
}
