/** Keyrings that the configuration names: one that is not there when the daemon starts is a mistake to be told of. */
import { accessSync, constants, statSync } from 'node:fs';
import { DebtorrentError } from '../core/errors.ts';
import type { Config } from './schema.ts';

/**
 * Later on they may come and go. The defaults are of no concern here: they are what a system happens to have.
 * @throws DebtorrentError CONFIG_INVALID
 */
export function requireKeyrings(config: Pick<Config, 'keyring' | 'publicKeyring'>): void {
  for (const path of config.keyring) requireFile('keyring', path);
  for (const path of config.publicKeyring) requireFile('public-keyring', path);
}

function requireFile(key: string, path: string): void {
  const reason = whyNot(path);
  if (reason !== undefined) throw new DebtorrentError('CONFIG_INVALID', `${key}: '${path}' ${reason}`);
}

function whyNot(path: string): string | undefined {
  try {
    if (statSync(path).isDirectory()) return 'is a directory';
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return `cannot be read (${(error as NodeJS.ErrnoException).code})`;
  }
}
