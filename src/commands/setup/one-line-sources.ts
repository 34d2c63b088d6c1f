/**
 * The one-line format (sources.list(5)), read the way APT reads it, to find the addresses in it. What APT would not
 * understand has no addresses: it is left alone.
 */
import { SPACE, type FoundUri, type Use } from './found-uri.ts';

const BLANKS = new RegExp(`[${SPACE}]*`, 'y');
const TYPE = new RegExp(`[${SPACE}]*deb(?:-src)?[${SPACE}]+`, 'y');
const COMMENT = new RegExp(`[${SPACE}]*#[#${SPACE}]*`, 'y');

/** @param text each character is one byte of the file (latin1). */
export function findInList(text: string): FoundUri[] {
  const found: FoundUri[] = [];
  let start = 0;
  text.split('\n').forEach((line, index) => {
    const place = uriOf(line);
    if (place) {
      const { from, to, use } = place;
      found.push({ start: start + from, end: start + to, uri: line.slice(from, to), line: index + 1, use });
    }
    start += line.length + 1;
  });
  return found;
}

interface Place {
  readonly from: number;
  readonly to: number;
  readonly use: Use;
}

function uriOf(line: string): Place | undefined {
  const comment = after(COMMENT, line, 0);
  const begin = after(TYPE, line, comment ?? 0);
  if (begin === undefined) return undefined;
  const entry = line.slice(0, comment === undefined ? commentIn(line) : commentIn(line, comment));
  const from = afterOptions(entry, begin);
  const to = from === undefined ? undefined : wordEnd(entry, from);
  if (from === undefined || to === undefined || to === from) return undefined;
  // an address alone, without a suite, is no entry
  if (blanksEnd(entry, to) === entry.length) return undefined;
  return { from, to, use: comment === undefined ? 'used' : 'comment' };
}

/** Where the comment begins that ends the entry; a `#` in brackets is none. */
function commentIn(line: string, from = 0): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === '#') return at;
    if (line[at] === '[') at = Math.max(at, line.indexOf(']', at));
  }
  return line.length;
}

/** The end of `[option=value …]`, if there is one, and of the blanks behind it; undefined where APT finds a fault. */
function afterOptions(entry: string, begin: number): number | undefined {
  if (entry[begin] !== '[') return begin;
  let at = blanksEnd(entry, begin + 1);
  while (entry[at] !== ']') {
    const end = wordEnd(entry, at);
    if (end === undefined || end === at) return undefined;
    // the bracket may stand right behind the last option
    at = entry[end - 1] === ']' ? end - 1 : blanksEnd(entry, end);
  }
  return blanksEnd(entry, at + 1);
}

/** A word ends at a blank, but for those in quotes and brackets; undefined when one of these is not closed. */
function wordEnd(entry: string, from: number): number | undefined {
  for (let at = from; at < entry.length; at++) {
    const char = entry[at] ?? '';
    if (blanksEnd(char, 0) === 1) return at;
    const close = char === '"' ? '"' : char === '[' ? ']' : undefined;
    if (close === undefined) continue;
    at = entry.indexOf(close, at + 1);
    if (at < 0) return undefined;
  }
  return entry.length;
}

function blanksEnd(text: string, from: number): number {
  return after(BLANKS, text, from) ?? from;
}

function after(pattern: RegExp, text: string, from: number): number | undefined {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
