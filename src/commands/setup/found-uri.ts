/** What the readers of sources files have in common: where in a file the addresses of archives stand. */

/**
 * - `used`: APT reads it
 * - `mirror`: a line of a list of mirrors, which APT reads as well
 * - `off`: an entry that is turned off (`Enabled: no`)
 * - `comment`: a line that would be an entry without its `#`
 */
export type Use = 'used' | 'mirror' | 'off' | 'comment';

export interface FoundUri {
  /** Offsets in the text: from the first character of the address to the one after its last. */
  readonly start: number;
  readonly end: number;
  readonly uri: string;
  /** From 1. */
  readonly line: number;
  readonly use: Use;
}

/**
 * Puts other addresses in place of those that were found, which are in the order of the text and do not overlap;
 * everything else stays as it is, byte for byte.
 */
export function replaceUris(text: string, found: readonly FoundUri[], other: (uri: FoundUri) => string): string {
  let replaced = '';
  let at = 0;
  for (const each of found) {
    replaced += text.slice(at, each.start) + other(each);
    at = each.end;
  }
  return replaced + text.slice(at);
}

/** What isspace() says in the C locale, which is what APT goes by. */
export const SPACE = ' \\t\\n\\v\\f\\r';
