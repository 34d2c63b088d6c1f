/** HEAD: of what is known it needs no mirror, and of what is not no transfer. */
import type { DatedClock } from '../core/clock.ts';
import { asDebtorrentError, DebtorrentError } from '../core/errors.ts';
import type { FetchPlan } from '../core/fetch-plan.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import { TRANSIENT_CODES } from '../actors/http-backup/mirror-error.ts';
import type { TransfersProtocol } from '../actors/transfers/protocol.ts';
import type { ClientExchange } from './exchange.ts';
import { sendFileHead } from './send-file.ts';

export interface ServeHeadDeps {
  readonly transfers: ActorRef<TransfersProtocol>;
  readonly date: DatedClock['date'];
}

/** Longer than a transfer needs to give up on a mirror that is down, in milliseconds. */
export const OPEN_MS = 120_000;

/** @throws DebtorrentError NOT_CACHED unless it is here and need not be checked with anybody. */
export async function checkCached({ transfers }: ServeHeadDeps, { url, sha256 }: FetchPlan): Promise<void> {
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
  if (plan.trust === 'none' || plan.size === undefined) {
    const head = await transfers
      .within(OPEN_MS)
      .ask('head', plan.url)
      .catch((error: unknown) => {
        // The cache may have it: GET looks there, and is told when the mirror cannot be asked.
        if (!TRANSIENT_CODES.has(asDebtorrentError(error).code)) throw error;
      });
    if (head === undefined) return false;
    const known = { ...head, sha256: plan.sha256, source: 'mirror' as const };
    sendFileHead(client, known, plan.sha256 !== undefined, date());
    return true;
  }
  const known = { size: plan.size, sha256: plan.sha256, lastModified: undefined, etag: undefined };
  sendFileHead(client, { ...known, contentType: undefined, source: 'mirror' }, true, date());
  return true;
}
