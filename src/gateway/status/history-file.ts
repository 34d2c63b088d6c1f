/**
 * Keeps the sums of the history in the cache directory, so that what was saved is not forgotten at a restart. A file
 * that is missing, damaged or of another version is none: figures are no reason not to start.
 */
import { readFile, stat } from 'node:fs/promises';

import * as v from 'valibot';

import type { Logger } from '../../core/logging.ts';
import { replaceFile } from '../../actors/replace-file.ts';
import { MAX_DAYS, MAX_HOURS, type SavedHistory } from './history.ts';

const MAX_BYTES = 256 * 1024;

const amount = v.pipe(v.number(), v.finite(), v.minValue(0));
const moved = {
  served: amount,
  cache: amount,
  peers: amount,
  mirror: amount,
  uploaded: amount,
  requests: amount,
};
const spans = (most: number) => v.pipe(v.array(v.object({ at: amount, ...moved })), v.maxLength(most));
const Saved = v.object({
  version: v.literal(1),
  since: amount,
  lifetime: v.object(moved),
  hours: spans(MAX_HOURS),
  days: spans(MAX_DAYS),
});

export async function loadHistory(path: string, log: Logger): Promise<SavedHistory | undefined> {
  try {
    if ((await stat(path)).size > MAX_BYTES) throw new Error('it is too long');
    return v.parse(Saved, JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    log.info({ path, reason: (error as Error).message }, 'the saved figures cannot be used and begin anew');
    return undefined;
  }
}

/** Rejects when it cannot be written. */
export function saveHistory(path: string, history: SavedHistory): Promise<void> {
  return replaceFile(path, `${JSON.stringify({ version: 1, ...history })}\n`);
}
