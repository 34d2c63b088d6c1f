/** HEAD: of what is known it needs no mirror, and of what is not no transfer. */
import { isReplaced } from '../core/archive/location.ts';
import type { DatedClock } from '../core/clock.ts';
import { asDebtorrentError, DebtorrentError } from '../core/errors.ts';
import type { FetchPlan } from '../core/fetch-plan.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import { TRANSIENT_CODES } from '../actors/http-backup/mirror-error.ts';
import type { FileHead, TransfersProtocol } from '../actors/transfers/protocol.ts';
import type { ClientExchange } from './exchange.ts';
import { sendFileHead } from './send-file.ts';

export interface ServeHeadDeps {
  readonly transfers: ActorRef<TransfersProtocol>;
  readonly date: DatedClock['date'];
}

/** Longer than a transfer needs to give up on a mirror that is down, in milliseconds. */
export const OPEN_MS = 120_000;

/** @throws DebtorrentError NOT_CACHED unless it is here and need not be checked with anybody. */
export async function requireCached({ transfers }: ServeHeadDeps, { url, sha256 }: FetchPlan): Promise<void> {
  const cached = sha256 && (await transfers.ask('cached', sha256).catch(() => undefined));
  if (cached === undefined) throw new DebtorrentError('NOT_CACHED', `${url} is not in the cache`);
}

/** False: go on as for GET. */
export async function serveHead(deps: ServeHeadDeps, client: ClientExchange, plan: FetchPlan): Promise<boolean> {
  const { transfers, date } = deps;
  // a store that fails does not keep it from being answered
  const cached = plan.sha256 && (await transfers.ask('cached', plan.sha256).catch(() => undefined));
  if (cached !== undefined && cached.size === (plan.size ?? cached.size)) {
    sendFileHead(client, cached, true, date());
    return true;
  }
  const { sha256, size } = plan;
  // a Release lists what its mirrors need not have, such as indexes that are not compressed
  const asked = size === undefined || isReplaced(plan.url) ? await headOf(transfers, plan) : undefined;
  if (asked !== undefined && (size === undefined || asked.size === size)) {
    sendFileHead(client, { ...asked, sha256, source: 'mirror' }, sha256 !== undefined, date());
    return true;
  }
  if (size === undefined) return false;
  const known = { size, sha256, lastModified: undefined, etag: undefined, contentType: undefined };
  sendFileHead(client, { ...known, source: 'mirror' }, true, date());
  return true;
}

/**
 * Undefined when the mirror cannot be asked: GET looks in the cache, and is told so otherwise.
 * @throws DebtorrentError when it has the file nowhere.
 */
async function headOf(
  transfers: ServeHeadDeps['transfers'],
  { url, alternates, reload }: FetchPlan,
): Promise<FileHead | undefined> {
  let missing: unknown;
  for (const each of [url, ...alternates]) {
    try {
      return await transfers.within(OPEN_MS).ask('head', each, reload);
    } catch (error) {
      const { code } = asDebtorrentError(error);
      if (TRANSIENT_CODES.has(code) || code === 'ASK_TIMEOUT') return undefined;
      missing ??= error;
    }
  }
  throw missing;
}
