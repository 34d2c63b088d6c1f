/**
 * Asks every part of the daemon how it is. What the status page, its stream, /status.json and /metrics are made from, and
 * what the APT method is told.
 */
import type { DatedClock } from '../../core/clock.ts';
import type { DaemonFigures } from '../../core/method/control.ts';
import type { HttpBackupProtocol, MirrorStats } from '../../actors/http-backup/http-backup.ts';
import type { StoreProtocol, StoreStats } from '../../actors/store/protocol.ts';
import type { PeersProtocol, PeersStatus } from '../../actors/swarm/protocol.ts';
import type { TransfersProtocol, TransferStatus, TransferTotals } from '../../actors/transfers/protocol.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { PassedBytes } from '../passed-bytes.ts';

export interface ObserverDeps {
  readonly transfers: ActorRef<TransfersProtocol>;
  readonly store: ActorRef<StoreProtocol>;
  readonly mirror: ActorRef<HttpBackupProtocol>;
  /** What came from mirrors without the transfers. */
  readonly passed: PassedBytes;
  /** Absent when peers are off. */
  readonly peers?: ActorRef<PeersProtocol> | undefined;
  readonly clock: Pick<DatedClock, 'now' | 'date'>;
}

export interface Observation {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly transfers: readonly TransferStatus[];
  readonly totals: TransferTotals;
  readonly cache: StoreStats;
  readonly mirrors: readonly MirrorStats[];
  readonly swarm: PeersStatus;
  /** `silent`: the daemon serves without its swarms. */
  readonly peers: 'on' | 'off' | 'silent';
}

const ASK_MS = 2_000;
const NO_PEERS: PeersStatus = {
  listening: null,
  peers: [],
  torrents: {},
  totals: { downBytes: 0, upBytes: 0, bans: 0 },
};

export class Observer {
  readonly #deps: ObserverDeps;
  #last: Observation | undefined;
  #lastAt = 0;
  /** As the swarms said last. */
  #counted = NO_PEERS.totals;
  #asking: Promise<Observation> | undefined;

  constructor(deps: ObserverDeps) {
    this.#deps = deps;
  }

  /** As it is now. Rejects when a part that the daemon cannot do without does not answer within two seconds. */
  async now(): Promise<Observation> {
    // what was counted stays: a counter that falls to nothing and comes back counts all of it twice where it is summed up
    const silent = { ...NO_PEERS, totals: this.#counted };
    const swarm = this.peers().catch(() => silent);
    const { passed, clock } = this.#deps;
    const [transfers, cache, mirrors, peers] = await Promise.all([
      this.#transfers(),
      this.#store(),
      this.#mirrors(),
      swarm,
    ]);
    this.#counted = peers.totals;
    this.#lastAt = clock.now();
    this.#last = {
      at: clock.date(),
      ...transfers,
      cache,
      mirrors: passed.with(mirrors),
      swarm: peers,
      peers: peers === silent ? 'silent' : this.#deps.peers === undefined ? 'off' : 'on',
    };
    return this.#last;
  }

  /** As it was at most so many milliseconds ago: whoever looks in that time shares one round of questions. */
  lately(ms: number): Promise<Observation> {
    if (this.#last !== undefined && this.#deps.clock.now() - this.#lastAt < ms) return Promise.resolve(this.#last);
    this.#asking ??= this.now().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** Resolves when all that the daemon cannot do without answers; rejects after two seconds. */
  async answers(): Promise<void> {
    await Promise.all([this.#transfers(), this.#store(), this.#mirrors()]);
  }

  /** What people are shown while APT downloads. Rejects when the transfers do not answer; swarms that do not are none. */
  async figures(): Promise<DaemonFigures> {
    const linked = this.peers().then(
      (status) => status.peers.filter(({ banned }) => !banned).length,
      () => 0,
    );
    const { totals } = await this.#transfers();
    return { peers: await linked, fromPeers: totals.fromPeersBytes, fromMirror: totals.fromMirrorBytes };
  }

  async peers(): Promise<PeersStatus> {
    return (await this.#deps.peers?.within(ASK_MS).ask('status')) ?? NO_PEERS;
  }

  async #transfers() {
    const { passed, transfers } = this.#deps;
    const { totals, ...status } = await transfers.within(ASK_MS).ask('status');
    return { ...status, totals: { ...totals, fromMirrorBytes: totals.fromMirrorBytes + passed.total } };
  }

  #store(): Promise<StoreStats> {
    return this.#deps.store.within(ASK_MS).ask('stats');
  }

  #mirrors(): Promise<MirrorStats[]> {
    return this.#deps.mirror.within(ASK_MS).ask('stats');
  }
}
