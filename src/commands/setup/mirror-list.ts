/**
 * Lists of mirrors in files of this machine, which sources name by `mirror+file:` (apt-transport-mirror(1)): Debian's
 * images for clouds have all of their mirrors in such lists. APT takes any method in them.
 */
import type { FoundUri } from './found-uri.ts';

const SOURCE = /^mirror\+file:(?:\/\/)?(\/(?!\/)[\w./+-]+)$/;
const COMPRESSED = /\.(?:gz|bz2|lzma|xz|lz4|zst)$/;
/** What follows a tab is about the mirror. */
const MIRROR = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s]+(?=[\t\r]|$)/;

/** The file that a source's address names, if it is a list that people can write. */
export function mirrorListOf(uri: string): string | undefined {
  const path = SOURCE.exec(uri)?.[1];
  return path === undefined || COMPRESSED.test(path) ? undefined : path;
}

/** @param text each character is one byte of the file (latin1). */
export function findInMirrorList(text: string): FoundUri[] {
  const found: FoundUri[] = [];
  let start = 0;
  for (const [index, line] of text.split('\n').entries()) {
    const uri = MIRROR.exec(line)?.[0];
    if (uri !== undefined) found.push({ start, end: start + uri.length, uri, line: index + 1, use: 'mirror' });
    start += line.length + 1;
  }
  return found;
}
