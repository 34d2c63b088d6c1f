import { readFileSync } from 'node:fs';

/** The version of this installation, from its package.json. */
export function readVersion(): string {
  const file = new URL('../../../package.json', import.meta.url); // from dist/src/config/
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}
