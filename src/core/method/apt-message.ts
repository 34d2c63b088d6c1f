/**
 * The messages that APT and its methods exchange on standard input and output: a line with a code, lines with fields,
 * an empty line (APT's doc/method.dbk). Field names are compared without regard to case, as APT does.
 */

export interface AptMessage {
  /** Such as 600. */
  readonly code: number;
  /** Names in lower case, in order; a name may stand more than once. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** A configuration is some ten kilobytes, other messages are below one. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** The first field of that name, which is given in lower case. */
export function field(message: AptMessage, name: string): string | undefined {
  return message.fields.find(([each]) => each === name)?.[1];
}

/** Takes messages out of a stream of bytes that may be cut anywhere. */
export class AptMessageReader {
  #rest = '';

  /** @throws Error for a message without a code or an end: whoever writes such is not APT. */
  push(text: string): AptMessage[] {
    const blocks = (this.#rest + text).replaceAll('\r\n', '\n').split(/\n\n+/);
    this.#rest = blocks.pop() ?? '';
    if (this.#rest.length > MAX_MESSAGE_BYTES) throw new Error('a message without an end');
    return blocks
      .map((block) => block.replace(/^\n+/, ''))
      .filter((block) => block !== '')
      .map(parse);
  }
}

function parse(block: string): AptMessage {
  const [first = '', ...lines] = block.split('\n');
  const code = /^(\d{3})(?: |$)/.exec(first)?.[1];
  if (code === undefined) throw new Error('a message without a code');
  const fields: [string, string][] = [];
  for (const line of lines) {
    const last = fields.at(-1);
    if (/^[ \t]/.test(line)) {
      if (last !== undefined) last[1] += `\n${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon > 0) fields.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return { code: Number(code), fields };
}

/**
 * A message for APT. What is undefined or empty is left out. Values may hold what mirrors and daemons wrote: control
 * characters, which could end the field and begin another, are replaced.
 */
export function formatAptMessage(head: string, fields: Readonly<Record<string, string | number | undefined>>): string {
  let text = `${head}\n`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === '') continue;
    text += `${name}: ${String(value).replaceAll(/\p{Cc}+/gu, ' ')}\n`;
  }
  return `${text}\n`;
}
