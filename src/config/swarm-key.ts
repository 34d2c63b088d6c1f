/** The key file of a private swarm. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import { parseSwarmKey } from '../core/swarm/psk.ts';

/** A key is one line of 64 digits. */
const MAX_FILE_BYTES = 4096;
const READABLE_BY_OTHERS = 0o004;

/**
 * 32 bytes. Warns when everybody on the machine can read them.
 * @throws DebtorrentError CONFIG_INVALID that names the key and the file, and nothing of its content
 */
export function readSwarmKey(path: string, log: Logger): Buffer {
  try {
    const { content, mode } = readBounded(path);
    const key = parseSwarmKey(content);
    if ((mode & READABLE_BY_OTHERS) !== 0) {
      log.warn({ path }, 'every user of this machine can read the swarm key: take that away with chmod o-r');
    }
    return key;
  } catch (error) {
    throw new DebtorrentError('CONFIG_INVALID', `swarm-key: '${path}' cannot be used: ${(error as Error).message}`);
  }
}

/** Anything but a regular file may have no end, or block whoever opens it until somebody writes. */
function readBounded(path: string): { readonly content: string; readonly mode: number } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
    return { content: readFileSync(fd, 'latin1'), mode: stats.mode };
  } finally {
    closeSync(fd);
  }
}
