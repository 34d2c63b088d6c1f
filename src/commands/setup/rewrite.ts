/** One file of sources: its addresses at the daemon, or turned back, and everything else as it was. */
import { findInDeb822 } from './deb822-sources.ts';
import { replaceUris, SPACE, type FoundUri, type Use } from './found-uri.ts';
import { findInMirrorList, mirrorListOf } from './mirror-list.ts';
import { findInList } from './one-line-sources.ts';
import { decide, turnBack, type RewriteRules } from './source-uri.ts';

/** An address as it was and as it is now, so that what is turned back is what had been there. */
export type Pair = readonly [was: string, is: string];

export interface Left {
  readonly line: number;
  readonly uri: string;
  readonly why: string;
}

interface Rewritten {
  readonly bytes: Buffer;
  readonly pairs: readonly Pair[];
  readonly left: readonly Left[];
}

export function rewriteSources(path: string, bytes: Buffer, rules: RewriteRules): Rewritten {
  const text = bytes.toString('latin1');
  const pairs = new Map<string, string>();
  const left: Left[] = [];
  const other = ({ uri, line, use }: FoundUri): string => {
    // priorities go by the source that names the list
    const decision = decide(uri, use === 'mirror' ? { ...rules, pinOf: () => undefined } : rules);
    if (use === 'comment' || decision.kind === 'already') return uri;
    if (use === 'off' || decision.kind === 'leave') {
      left.push({ line, uri, why: decision.kind === 'leave' ? decision.why : 'the entry is turned off' });
      return uri;
    }
    if (!pairs.has(uri)) pairs.set(uri, decision.to);
    return decision.to;
  };
  const changed = replaceUris(text, find(path, text), other);
  return { bytes: Buffer.from(changed, 'latin1'), pairs: [...pairs], left };
}

/** Whatever stands around it: a file that APT cannot read today may be put right when the method is gone. */
const AT_DAEMON = new RegExp(`debtorrent:[^${SPACE}]+`, 'gi');

/**
 * Turns back what setup wrote, also in entries that have been turned off since. As bin/setup-undo has it.
 * @param pairs what is known of it; the daemon's other addresses are turned back by their form if `all` is true.
 */
export function turnBackSources(bytes: Buffer, pairs: readonly Pair[], all: boolean): Buffer {
  const before = new Map(pairs.map(([was, is]) => [is, was]));
  const changed = bytes.toString('latin1').replaceAll(AT_DAEMON, (uri) => {
    return before.get(uri) ?? beforeWithSlash(before, uri) ?? (all ? turnBack(uri) : undefined) ?? uri;
  });
  return Buffer.from(changed, 'latin1');
}

/** `apt modernize-sources` moves entries to other files and ends their addresses with a slash. */
function beforeWithSlash(before: ReadonlyMap<string, string>, uri: string): string | undefined {
  const was = uri.endsWith('/') ? before.get(uri.slice(0, -1)) : undefined;
  return was && `${was}/`;
}

/** Lines whose entries go to the daemon. */
export function debtorrentLines(path: string, bytes: Buffer): number[] {
  const text = bytes.toString('latin1');
  const found = find(path, text).filter(({ uri, use }) => isRead(use) && turnBack(uri) !== undefined);
  return [...new Set(found.map(({ line }) => line))];
}

/** Files with lists of mirrors that the sources in a file name. */
export function mirrorListsIn(path: string, bytes: Buffer): string[] {
  return find(path, bytes.toString('latin1')).flatMap(({ uri, use }) => (isRead(use) && mirrorListOf(uri)) || []);
}

function isRead(use: Use): boolean {
  return use === 'used' || use === 'mirror';
}

function find(path: string, text: string): FoundUri[] {
  if (text.includes('\0')) return [];
  if (path.endsWith('.sources')) return findInDeb822(text);
  const found = findInList(text);
  // a list of mirrors may have any name; no line of one is a line of the other
  if (found.some(({ use }) => use === 'used')) return found;
  return [...found, ...findInMirrorList(text)].toSorted((a, b) => a.start - b.start);
}
