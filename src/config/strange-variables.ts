/** Variables of the environment that look like settings and are none: somebody has misspelt one, or has made one up. */
import { envName, SETTING_NAMES } from './schema.ts';

const PREFIX = 'DEBTORRENT_';
/** Those of the APT method's launcher and of the helper that detects the proxy. */
const OTHERS = new Set(['METHOD_READ', 'NODE', 'NOT_FOR', 'PROXY', 'ROOT'].map((name) => PREFIX + name));
/** Kubernetes and Docker give each container such ones of all services, of which one may be called debtorrent. */
const OF_SERVICES = /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP)(?:_\w+)?$/;
const SERVICE_ADDRESS = /^(?:tcp|udp):\/\//;
/** More than so many are not all a mistake. */
const MOST = 10;
const MOST_LETTERS = 100;
/** One letter in so many may be wrong, missing or too many. */
const MISSPELT_ONE_IN = 3;

/** Each with the setting that was most likely meant, if one is close. Empty variables count as none, as for settings. */
export function strangeVariables(env: Readonly<Record<string, string | undefined>>): [name: string, meant?: string][] {
  const known = SETTING_NAMES.map(envName);
  const strange = Object.entries(env).filter(([name, value]) => !known.includes(name) && looksLikeOne(name, value));
  return strange.slice(0, MOST).map(([name]) => {
    const [closest] = known
      .map((setting) => ({ setting, distance: distanceOf(name, setting) }))
      .filter(({ distance }) => distance <= (name.length - PREFIX.length) / MISSPELT_ONE_IN)
      .toSorted((a, b) => a.distance - b.distance);
    return closest === undefined ? [name] : [name, closest.setting];
  });
}

function looksLikeOne(name: string, value = ''): boolean {
  if (!name.startsWith(PREFIX) || name.length > MOST_LETTERS || value.trim() === '' || OTHERS.has(name)) return false;
  return !OF_SERVICES.test(name) && !SERVICE_ADDRESS.test(value.trim());
}

/** Letters to change, add or leave out to make one of the other (Levenshtein). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [at, letter] of one.split('').entries()) {
    const next = [at + 1];
    for (const [to, otherLetter] of other.split('').entries()) {
      const changed = (row[to] ?? 0) + (letter === otherLetter ? 0 : 1);
      next.push(Math.min(changed, (row[to + 1] ?? 0) + 1, (next[to] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
