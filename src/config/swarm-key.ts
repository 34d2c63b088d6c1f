/** The key file of a private swarm. */
import { readFileSync } from 'node:fs';

import { asDebtorrentError, DebtorrentError } from '../core/errors.ts';
import { parseSwarmKey } from '../core/swarm/psk.ts';

/** 32 bytes. @throws DebtorrentError CONFIG_INVALID that names the key and the file, and nothing of its content */
export function readSwarmKey(path: string): Buffer {
  try {
    return parseSwarmKey(readFileSync(path, 'latin1').slice(0, 4096));
  } catch (error) {
    const reason = error instanceof DebtorrentError ? asDebtorrentError(error).message : (error as Error).message;
    throw new DebtorrentError('CONFIG_INVALID', `swarm-key ${path}: ${reason}`);
  }
}
