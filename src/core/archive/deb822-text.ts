/** One stanza of deb822 (Debian policy 5.1) as text, for small files such as Release. */

const MAX_FIELDS = 1000;
const NAME = /^[!-9;-~]+$/;

/**
 * Field names in lower case to values; lines of a value are joined by line feeds. Throws what `fail` makes of a
 * description for text that is not one stanza: a field twice, a line that is none, something after the empty line.
 */
export function parseFields(text: string, fail: (what: string) => Error): Map<string, string> {
  if (text.includes('\0')) throw fail('it has NUL bytes');
  const fields = new Map<string, string>();
  let name: string | undefined;
  /** Where the value of the present field begins and ends. */
  let from = 0;
  let to = 0;
  let ended = false;
  const finish = (): void => {
    if (name !== undefined) fields.set(name, text.slice(from, to).replaceAll('\r', '').trim());
  };
  for (let start = 0; start < text.length;) {
    const feed = text.indexOf('\n', start);
    const end = feed < 0 ? text.length : feed;
    const first = text[start];
    const blank = isBlank(text, start, end);
    if (blank) ended ||= name !== undefined;
    else if (ended) throw fail('it has more than one stanza');
    else if (first === ' ' || first === '\t') {
      if (name === undefined) throw fail('it begins with a continued line');
      to = end;
    } else {
      finish();
      const colon = text.indexOf(':', start);
      if (colon < 0 || colon >= end || colon - start > 100) throw fail('a line is no field');
      name = text.slice(start, colon).toLowerCase();
      if (!NAME.test(name)) throw fail('a field has no name');
      if (fields.has(name)) throw fail(`the field ${name} is there twice`);
      if (fields.size >= MAX_FIELDS) throw fail('it has too many fields');
      from = colon + 1;
      to = end;
    }
    start = end + 1;
  }
  finish();
  return fields;
}

function isBlank(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const c = text[at];
    if (c !== ' ' && c !== '\t' && c !== '\r') return false;
  }
  return true;
}
