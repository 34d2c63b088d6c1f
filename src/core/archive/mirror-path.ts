/**
 * MirrorUrls as look-ups need them: split into a host and decoded path segments, and made again from a directory and
 * a path of an index. The scheme is left out of keys: http and https of one host and path are one archive.
 */
import type { MirrorUrl } from '../ids.ts';

export interface MirrorPath {
  readonly scheme: 'http' | 'https';
  /** Lower-case host, with the port when it is not the scheme's own. */
  readonly authority: string;
  /** Decoded segments without empty and `.` ones. */
  readonly segments: readonly string[];
}

const FORM = /^(https?):\/\/([^/?#]+)(\/[^?#]*)?$/;
/** What RFC 3986 lets stand in a path segment as it is (pchar without percent-encoding). */
const NOT_PCHAR = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]+/gu;

/** Undefined for what can name no file of an archive: a query, `..`, an encoded slash, bytes that are not UTF-8. */
export function splitMirrorUrl(url: MirrorUrl): MirrorPath | undefined {
  const match = FORM.exec(url);
  if (!match) return undefined;
  const segments: string[] = [];
  for (const raw of (match[3] ?? '').split('/')) {
    if (raw === '' || raw === '.') continue;
    const segment = raw.includes('%') ? decode(raw) : raw;
    if (segment === undefined || segment === '..' || segment.includes('/')) return undefined;
    segments.push(segment);
  }
  return { scheme: match[1] as 'http' | 'https', authority: match[2] as string, segments };
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** A clean path of an index under a directory; the directory has no slash at its end. */
export function joinMirrorUrl(directory: MirrorUrl, path: string): MirrorUrl {
  return `${directory}/${path.replace(NOT_PCHAR, (c) => encodeURIComponent(c))}` as MirrorUrl;
}

/** The URL of the first `count` segments, without a slash at its end. */
export function directoryUrl(path: MirrorPath, count: number): MirrorUrl {
  const origin = `${path.scheme}://${path.authority}` as MirrorUrl;
  return count === 0 ? origin : joinMirrorUrl(origin, path.segments.slice(0, count).join('/'));
}

/** Host and the first `count` segments: what directories are compared by. */
export function pathKey(path: MirrorPath, count: number): string {
  return count === 0 ? path.authority : `${path.authority}/${path.segments.slice(0, count).join('/')}`;
}

/** A URL below a directory: what the directory is known by, and the rest. */
export interface Split {
  readonly key: string;
  readonly rest: string;
}

/** All ways to cut a URL into a directory and the rest, the longest directory first; the rest is never empty. */
export function* splits(path: MirrorPath): IterableIterator<Split> {
  const { authority, segments } = path;
  const whole = `${authority}/${segments.join('/')}`;
  let cut = whole.length;
  for (let count = segments.length - 1; count >= 0; count--) {
    cut -= (segments[count] as string).length + 1;
    yield { key: whole.slice(0, cut), rest: whole.slice(cut + 1) };
  }
}
