/** The thread that fetches: store, transfers, HTTP backup and the hashing pool, started in order and stopped in reverse. */
import { systemClock } from '../core/clock.ts';
import { compileHostRules } from '../core/host-rules.ts';
import { TokenBucket } from '../core/swarm/token-bucket.ts';
import { spawn } from '../kernel/actor.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import { runThread } from '../kernel/thread.ts';
import { createHashing, DAEMON_HASHING } from '../actors/hashing.ts';
import { createHttpBackup, type HttpBackupProtocol } from '../actors/http-backup/http-backup.ts';
import { MIRROR_TIMEOUTS } from '../actors/http-backup/timeouts.ts';
import { systemCertificates } from '../actors/http-backup/system-certificates.ts';
import type { SourceSinkProtocol } from '../actors/source.ts';
import { layoutOf } from '../actors/store/layout.ts';
import type { PeersProtocol, PeersSinkProtocol } from '../actors/swarm/protocol.ts';
import type { StoreProtocol } from '../actors/store/protocol.ts';
import { openStore } from '../actors/store/store.ts';
import type { TransfersProtocol } from '../actors/transfers/protocol.ts';
import { createTransfers } from '../actors/transfers/transfers.ts';

export interface FetchBoot {
  readonly cacheDir: string;
  readonly cacheBytes: number;
  readonly allowMirror: readonly string[];
  readonly mirrorConnections: number;
  /** Bytes a second from mirrors; 0 is no limit. */
  readonly downloadLimit: number;
  readonly userAgent: string;
  readonly via: string;
  /** False when peers are off: nobody is asked then. */
  readonly peers: boolean;
}

const MAILBOX = { limit: 65_536 };

runThread(async ({ boot, neighbour, log }) => {
  const { cacheDir, cacheBytes, allowMirror, mirrorConnections, downloadLimit, userAgent, via, peers } =
    boot as FetchBoot;
  const clock = systemClock;
  const layout = layoutOf(cacheDir);

  const store = await openStore({ root: cacheDir, limitBytes: cacheBytes, clock, log });
  const storeActor = spawn<StoreProtocol>({
    name: 'store',
    behaviour: store.behaviour,
    mailbox: MAILBOX,
    log,
    stop: () => store.stop(),
  });

  const hashing = createHashing(DAEMON_HASHING);
  hashing.prepare();
  // The source tells the transfers and the transfers ask the source: the reference is filled in below.
  const sink: Pick<ActorRef<SourceSinkProtocol>, 'tell'> = {
    tell: (kind, ...args) => transfersActor.ref.tell(kind, ...args),
  };
  const backup = createHttpBackup({
    rules: compileHostRules(allowMirror),
    connections: mirrorConnections,
    timeouts: MIRROR_TIMEOUTS,
    userAgent,
    via,
    limit: new TokenBucket({ rate: downloadLimit }),
    sink,
    ca: systemCertificates,
    now: clock.now,
    date: clock.date,
  });
  const mirrorActor = spawn<HttpBackupProtocol>({
    name: 'http-backup',
    behaviour: backup.behaviour,
    mailbox: MAILBOX,
    log,
    stop: () => backup.stop(),
  });

  const transfers = createTransfers({
    store: storeActor.ref,
    mirror: mirrorActor.ref,
    ...(peers && { peers: neighbour<PeersProtocol>('swarm', 'peers') }),
    hashing,
    clock,
    log,
    connections: mirrorConnections,
    finalPath: layout.file,
  });
  const transfersActor = spawn<TransfersProtocol & SourceSinkProtocol & PeersSinkProtocol>({
    name: 'transfers',
    behaviour: transfers.behaviour,
    mailbox: MAILBOX,
    log,
    stop: async () => {
      await transfers.stop();
      await hashing.close();
    },
  });

  return { actors: { store: storeActor, mirror: mirrorActor, transfers: transfersActor } };
});
