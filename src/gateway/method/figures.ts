/** What people are shown while APT downloads: how many peers there are, and what came from them. */
import type { DaemonFigures } from '../../core/method/control.ts';
import type { PeersProtocol } from '../../actors/swarm/protocol.ts';
import type { TransfersProtocol } from '../../actors/transfers/protocol.ts';
import type { ActorRef } from '../../kernel/protocol.ts';

const ASK_MS = 2_000;

/** Rejects when the transfers do not answer; swarms that do not are none. */
export async function figuresOf(
  transfers: ActorRef<TransfersProtocol>,
  peers: ActorRef<PeersProtocol> | undefined,
): Promise<DaemonFigures> {
  const linked = peers
    ?.within(ASK_MS)
    .ask('status')
    .then((status) => status.peers.length)
    .catch(() => 0);
  const { totals } = await transfers.within(ASK_MS).ask('status');
  return { peers: (await linked) ?? 0, fromPeers: totals.fromPeersBytes, fromMirror: totals.fromMirrorBytes };
}
