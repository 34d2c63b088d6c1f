/**
 * Log lines with nothing in them that steers a terminal, whatever mirrors, peers and clients have said: pino writes
 * what JSON lets stand as it is, and pino-pretty messages and stacks without their quotes.
 */

/** Control and format characters, such as those that begin a command in eight bits or turn the direction of writing. */
const STEERING = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The same in JSON, where those below a blank have a backslash before them already. */
const STEERING_OR_ESCAPE = /\\(?:u[0-9a-fA-F]{4}|.)|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gsu;
/** Escapes that may be read: of what is written with a backslash, the end of a line and a tab. */
const READABLE: ReadonlySet<string> = new Set(['\\"', '\\\\', '\\/', '\\n', '\\t']);

/** @param line JSON with an end of line; what is returned says the same. */
export function harmlessJson(line: string): string {
  // most lines are nothing but ASCII, which this tells in a small part of the time
  if (Buffer.byteLength(line) === line.length && !line.includes('\x7f')) return line;
  return line.replaceAll(STEERING, escaped);
}

/** @param line JSON with an end of line; in what is returned strings have the text of the escapes. */
export function readableJson(line: string): string {
  return line.replaceAll(STEERING_OR_ESCAPE, (found) => {
    if (found === '\n' || READABLE.has(found)) return found;
    return (found.startsWith('\\') ? found : escaped(found)).replaceAll('\\', String.raw`\\`);
  });
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => String.raw`\u${unit.toString(16).padStart(4, '0')}`).join('');
}
