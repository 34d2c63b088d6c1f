/** Where a mirror redirects to, if it is a place that may be looked at; its host is checked like any other's. */
import { DebtorrentError } from '../../core/errors.ts';
import { mirrorRequest, parseMirrorUrl } from '../../core/http/mirror-url.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import type { Headers } from './answer.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** It leads to the same path with a slash at its end: there is a directory. */
export function addsSlash(base: MirrorUrl, location: MirrorUrl): boolean {
  const [from = '', to = ''] = [base, location].map((url) => mirrorRequest(url).target.replace(/\?.*$/, ''));
  return !from.endsWith('/') && to === `${from}/`;
}

/**
 * Undefined for an answer that is no redirect.
 * @throws DebtorrentError MIRROR_PROTOCOL, or REDIRECT_REFUSED for what must not be followed
 */
export function redirectOf(status: number, headers: Headers, base: MirrorUrl): MirrorUrl | undefined {
  if (!REDIRECTS.has(status)) return undefined;
  const location = headers['location'];
  if (typeof location !== 'string' || !URL.canParse(location, base)) {
    throw new DebtorrentError('MIRROR_PROTOCOL', `a ${status} without a usable Location`);
  }
  const target = new URL(location, base);
  target.hash = '';
  if (target.username !== '' || target.password !== '') {
    throw new DebtorrentError('REDIRECT_REFUSED', 'redirected to an URL with a password');
  }
  if (base.startsWith('https:') && target.protocol === 'http:') {
    throw new DebtorrentError('REDIRECT_REFUSED', 'redirected from https to http');
  }
  try {
    return parseMirrorUrl(target.href);
  } catch (error) {
    throw new DebtorrentError('REDIRECT_REFUSED', `redirected to no usable URL: ${(error as Error).message}`);
  }
}
