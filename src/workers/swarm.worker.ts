/** The thread that all swarms share: links to peers, wants and uploads, discovery; started in order, stopped in reverse. */
import { unhurriedClock } from '../core/unhurried-clock.ts';
import { spawn } from '../kernel/actor.ts';
import { runThread } from '../kernel/thread.ts';
import { createHashing, DAEMON_HASHING } from '../actors/hashing.ts';
import type { StoreProtocol } from '../actors/store/protocol.ts';
import { createPeers } from '../actors/swarm/peers.ts';
import type { PeersSettings } from '../actors/swarm/peers-settings.ts';
import type { PeersProtocol, PeersSinkProtocol } from '../actors/swarm/protocol.ts';

export type SwarmBoot = PeersSettings;

const MAILBOX = { limit: 65_536 };

runThread(async ({ boot, neighbour, log }) => {
  const settings = boot as SwarmBoot;
  const hashing = createHashing(DAEMON_HASHING);
  const peers = await createPeers({
    settings,
    sink: neighbour<PeersSinkProtocol>('fetch', 'transfers'),
    store: neighbour<StoreProtocol>('fetch', 'store'),
    hashing,
    clock: unhurriedClock,
    random: Math.random,
    log,
  });
  const actor = spawn<PeersProtocol>({
    name: 'peers',
    behaviour: peers.behaviour,
    mailbox: MAILBOX,
    log,
    async stop() {
      await peers.stop();
      await hashing.close();
    },
  });
  return { actors: { peers: actor } };
});
