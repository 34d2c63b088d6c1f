/**
 * HTML by tagged templates in which everything that is put in is text. Names of files, peers and clients come from
 * strangers; only what another template has made is taken as it is.
 */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Part = Html | string | number | false | undefined | readonly Part[];

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = '';
  for (const [index, literal] of strings.entries()) {
    if (index > 0) text += put(parts[index - 1]);
    // the indentation of the source needs not travel every second
    text += literal.replaceAll(/\n\s+/g, '\n');
  }
  return new Html(text);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** Control characters, and those that turn the direction of what follows or cannot be seen. */
// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/gu;

/** For text and for attributes in double quotes. */
function escape(text: string): string {
  return text.replaceAll(UNSEEN, '\ufffd').replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

function put(part: Part): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(put).join('');
  return escape(String(part));
}
