/** Starts the daemon's parts in order and stops them in reverse. */
import type { Config } from './config/schema.ts';
import { DebtorrentError } from './core/errors.ts';

export async function serve(_config: Config): Promise<number> {
  throw new DebtorrentError('INTERNAL', 'the daemon is not put together yet');
}
