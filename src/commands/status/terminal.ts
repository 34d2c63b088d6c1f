/** What lines look like where they are shown: colours and width of a terminal, or plain text. */

export interface Line {
  /** Printable ASCII. */
  readonly text: string;
  readonly style?: 'strong' | 'good' | 'bad' | 'soft';
}

export interface Looks {
  /** Longer lines are cut; Infinity where there is no terminal. */
  readonly columns: number;
  /** More lines are cut in a view that is drawn again and again. */
  readonly rows: number;
  readonly colours: boolean;
}

const STYLES = { strong: '1', good: '32', bad: '31', soft: '2' } as const;

/** Colours on terminals, unless NO_COLOR (no-color.org) or a terminal that has none says otherwise. */
export function looksOf(
  out: { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number },
  env: Readonly<Record<string, string | undefined>>,
): Looks {
  if (out.isTTY !== true) return { columns: Infinity, rows: Infinity, colours: false };
  const colours = !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  // some terminals say that they have no size
  return { columns: Math.max(out.columns || 80, 20), rows: Math.max(out.rows || 24, 5), colours };
}

export function paint(lines: readonly Line[], { columns, colours }: Looks): string {
  return lines
    .map(({ text, style }) => {
      const cut = text.length > columns ? `${text.slice(0, columns - 3)}...` : text;
      return colours && style !== undefined ? `\x1b[${STYLES[style]}m${cut}\x1b[0m\n` : `${cut}\n`;
    })
    .join('');
}
