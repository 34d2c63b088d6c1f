/** How far a transfer is: for who reads its bytes as they come, and for people. */
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { Content } from './content.ts';
import type { Fetching } from './fetching.ts';
import type { Progress, TransferStatus } from './protocol.ts';
import type { Waiters } from './waiters.ts';

/**
 * What a reader at `position` may have now; waits for it, but not for ever.
 * @param over what the transfer came to, when it has ended
 */
export async function readOn(
  content: Content,
  waiters: Waiters,
  position: number,
  epoch: number,
  over: () => Progress | undefined,
): Promise<Progress> {
  for (let waited = false; ; waited = true) {
    const outcome = over();
    // What has failed does not begin anew, whichever bytes its reader has.
    if (outcome?.kind === 'failed') return outcome;
    if (epoch !== content.epoch) return { kind: 'restarted', epoch: content.epoch };
    if (outcome !== undefined) return outcome;
    const end = content.available(position);
    if (end > position || waited) {
      content.released.add(position, end);
      return { kind: 'more', end, size: content.size };
    }
    await waiters.read(position);
  }
}

export function statusOf(
  plan: FetchPlan,
  content: Content,
  fetching: Fetching,
  clients: number,
  state: TransferStatus['state'],
): TransferStatus {
  return {
    path: plan.url,
    sha256: plan.sha256 ?? null,
    size: content.size ?? null,
    received: content.have.bytes,
    from_peers: fetching.fromPeers,
    from_mirror: fetching.mirror.received,
    waiting_clients: clients,
    state,
  };
}
