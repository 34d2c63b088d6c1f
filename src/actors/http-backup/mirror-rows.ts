/** Figures are kept by mirror, for a bounded number of them. */
const MAX_HOSTS = 256;
const OTHERS = 'other';

/** Where the figures of a host go: a row of its own, or the one of those that came later than that many. */
export function rowFor(rows: ReadonlyMap<string, unknown>, host: string): string {
  return rows.has(host) || rows.size < MAX_HOSTS ? host : OTHERS;
}
