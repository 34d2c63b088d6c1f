/**
 * The deb822 format of sources (sources.list(5)), to find the addresses in it. Comments may stand between any two
 * lines, also within a field. A file that APT would not understand has no addresses: it is left alone.
 */
import { SPACE, type FoundUri, type Use } from './found-uri.ts';

/** What APT takes for no (its StringToBool). */
const NO = /^(?:no|false|without|off|disable|0+)$/i;
const BLANK = new RegExp(`[${SPACE}]`);
const WORDS = new RegExp(`[^${SPACE}]+`, 'g');
const DISABLED_FIELD = /^#+[ \t]*(?=URIs[ \t]*:)/i;

interface Stanza {
  readonly uris: FoundUri[];
  use: Use;
  /** The field that a continued line belongs to, in lower case. Before the first APT passes over such lines. */
  field: string | undefined;
}

/** @param text each character is one byte of the file (latin1). */
export function findInDeb822(text: string): FoundUri[] {
  const found: FoundUri[] = [];
  let stanza: Stanza = { uris: [], use: 'used', field: undefined };
  const finish = (): void => {
    const { uris, use } = stanza;
    found.push(...uris.map((uri) => ({ ...uri, use: uri.use === 'used' ? use : uri.use })));
    stanza = { uris: [], use: 'used', field: undefined };
  };
  let start = 0;
  for (const [index, line] of text.split('\n').entries()) {
    const number = index + 1;
    if (line.startsWith('#')) {
      const skip = DISABLED_FIELD.exec(line)?.[0].length;
      if (skip !== undefined) stanza.uris.push(...urisIn(line, line.indexOf(':', skip) + 1, start, number, 'comment'));
    } else if (line === '' || line === '\r') finish();
    else {
      const valueAt = BLANK.test(line[0] ?? '') ? 0 : beginField(stanza, line);
      if (valueAt === undefined) return [];
      const value = line.slice(valueAt).trim();
      if (stanza.field === 'uris') stanza.uris.push(...urisIn(line, valueAt, start, number, 'used'));
      // the last one counts
      if (stanza.field === 'enabled' && value !== '') stanza.use = NO.test(value) ? 'off' : 'used';
    }
    start += line.length + 1;
  }
  finish();
  return found;
}

/** The offset of the value; undefined when the line is no field. One without a name is one for APT. */
function beginField(stanza: Stanza, line: string): number | undefined {
  const colon = line.indexOf(':');
  if (colon < 0) return undefined;
  stanza.field = line.slice(0, colon).trimEnd().toLowerCase();
  return colon + 1;
}

function urisIn(line: string, valueAt: number, start: number, number: number, use: Use): FoundUri[] {
  return [...line.slice(valueAt).matchAll(WORDS)].map((match) => {
    const from = start + valueAt + match.index;
    return { start: from, end: from + match[0].length, uri: match[0], line: number, use };
  });
}
