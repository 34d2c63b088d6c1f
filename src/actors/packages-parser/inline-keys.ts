/**
 * Keys that stand in a source itself, as the value of Signed-By in a file of deb822 (sources.list(5)): an armoured
 * block, each line indented, an empty one written as a dot.
 */
import { readKeys } from './openpgp-keys.ts';

/** Sources files are some hundred bytes, a key some thousand; one with more than this is not looked at, in bytes. */
export const MAX_SOURCES_BYTES = 1024 * 1024;
const MAX_BLOCKS = 200;
const BLOCK = '-----BEGIN PGP PUBLIC KEY BLOCK-----';
const FIELD = /^signed-by[ \t]*:(.*)$/i;

/** Whether the file is of that form, by its name (sources.list(5)). */
export function isSources(path: string): boolean {
  return path.endsWith('.sources');
}

/** All keys of the file that can be read, as binary; empty when there are none. */
export function keysInSources(text: string): Buffer {
  if (text.length > MAX_SOURCES_BYTES || !text.includes(BLOCK)) return Buffer.alloc(0);
  const blocks = signedByValues(text).filter((value) => value.startsWith(BLOCK));
  return Buffer.concat(blocks.slice(0, MAX_BLOCKS).flatMap((block) => readKeys(Buffer.from(block, 'latin1')) ?? []));
}

function signedByValues(text: string): string[] {
  const values: string[][] = [];
  let current: string[] | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    if (!/^[ \t]/.test(line)) {
      const field = FIELD.exec(line);
      current = field ? [(field[1] ?? '').trim()] : undefined;
      if (current) values.push(current);
    } else current?.push(line.trim() === '.' ? '' : line.trim());
  }
  return values.map((lines) => lines.join('\n').trim());
}
