/**
 * The report of /status.json, from which the page and `debtorrent status` are made too. The first keys are a promise to
 * scripts; what follows `mirrors` was added for people.
 */
import type { Catalogue } from '../../core/archive/catalogue.ts';
import { withoutSecrets } from '../../core/http/shown.ts';
import type { MirrorStats } from '../../actors/http-backup/http-backup.ts';
import type { PeersStatus } from '../../actors/swarm/protocol.ts';
import type { TransferStatus } from '../../actors/transfers/protocol.ts';
import type { Metrics } from '../metrics.ts';
import { healthOf, type Health } from './health.ts';
import { saved, type History, type Moved } from './history.ts';
import type { Observation, Observer } from './observe.ts';
import { RateMeter, transferKey } from './rates.ts';
import type { RecentError, RecentErrors } from './recent-errors.ts';

/** Rates are bytes a second. */
export interface StatusReport {
  readonly version: string;
  readonly uptime_s: number;
  readonly torrents: readonly {
    readonly name: string;
    readonly id: string;
    readonly files: number;
    readonly bytes: number;
    readonly peers: number;
    readonly wanted: number;
  }[];
  readonly peers: readonly (PeersStatus['peers'][number] & { readonly down_rate: number; readonly up_rate: number })[];
  readonly transfers: readonly (TransferStatus & { readonly rate: number })[];
  readonly totals: {
    readonly served_bytes: number;
    readonly from_cache_bytes: number;
    readonly from_peers_bytes: number;
    readonly from_mirror_bytes: number;
    readonly uploaded_bytes: number;
    readonly requests: number;
    readonly errors: number;
    readonly hash_failures: number;
    readonly bans: number;
  };
  readonly cache: {
    readonly files: number;
    readonly bytes: number;
    readonly limit_bytes: number;
    /** Answers with bytes of a file since the start, and those of them that came out of the cache. */
    readonly answers: number;
    readonly hits: number;
  };
  readonly mirrors: readonly MirrorStats[];
  readonly health: Health;
  readonly peering: Observation['peers'];
  readonly listening: { readonly http: string; readonly peer: string | null };
  readonly rates: {
    readonly from_peers: number;
    readonly from_mirror: number;
    readonly uploaded: number;
  };
  /** Sums that outlive restarts. */
  readonly lifetime: {
    /** Milliseconds since the epoch. */
    readonly since: number;
    readonly served_bytes: number;
    readonly from_cache_bytes: number;
    readonly from_peers_bytes: number;
    readonly from_mirror_bytes: number;
    readonly uploaded_bytes: number;
    readonly saved_bytes: number;
    readonly requests: number;
  };
  readonly recent_errors: readonly RecentError[];
}

export interface ReporterDeps {
  readonly version: string;
  readonly catalogue: Catalogue;
  readonly observer: Observer;
  readonly metrics: Metrics;
  readonly history: History;
  readonly recentErrors: RecentErrors;
  /** `ADDR:PORT` where clients are served. */
  listening(): string;
}

export class Reporter {
  readonly #deps: ReporterDeps;
  readonly #startedAt = performance.now();
  readonly #rates = new RateMeter();

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  /** Rejects when a part that the daemon cannot do without does not answer. */
  async now(): Promise<StatusReport> {
    return this.#report(await this.#deps.observer.now());
  }

  /** From an observation that is at most `ms` milliseconds old. */
  async lately(ms: number): Promise<StatusReport> {
    return this.#report(await this.#deps.observer.lately(ms));
  }

  /** Brings the history up to date. */
  async sample(): Promise<void> {
    // of now: the counters of answers are, and what is sampled last before a stop has no later sample to be in
    const observation = await this.#deps.observer.now();
    this.#rates.take(observation);
    this.#deps.history.sample(this.#counters(observation), observation.at);
  }

  torrents(swarms: PeersStatus['torrents']): StatusReport['torrents'] {
    return this.#deps.catalogue.torrents().map(({ name, id, files, bytes }) => {
      const { peers, wanted } = swarms[id] ?? { peers: 0, wanted: 0 };
      return { name, id, files, bytes, peers, wanted };
    });
  }

  #counters({ totals, mirrors, swarm }: Observation): Moved {
    const { servedBytes, bySource, requests } = this.#deps.metrics.totals();
    return {
      served: servedBytes,
      cache: bySource.cache,
      peers: totals.fromPeersBytes,
      mirror: mirrors.reduce((sum, { bytes }) => sum + bytes, 0),
      uploaded: swarm.totals.upBytes,
      requests,
    };
  }

  #report(observation: Observation): StatusReport {
    const { version, metrics, history, recentErrors, listening } = this.#deps;
    const { transfers, totals, cache, mirrors, swarm, peers: peering } = observation;
    const { answers, errors } = metrics.totals();
    const counters = this.#counters(observation);
    const lifetime = history.lifetime(counters);
    const rates = this.#rates.take(observation);
    const facts = {
      version,
      uptime_s: Math.round((performance.now() - this.#startedAt) / 1000),
      torrents: this.torrents(swarm.torrents),
      peers: swarm.peers.map((peer) => {
        const { down = 0, up = 0 } = rates.peers.get(peer.address) ?? {};
        return { ...peer, down_rate: Math.round(down), up_rate: Math.round(up) };
      }),
      transfers: transfers.map((transfer) => {
        return {
          ...transfer,
          path: withoutSecrets(transfer.path),
          rate: Math.round(rates.transfers.get(transferKey(transfer)) ?? 0),
        };
      }),
      totals: {
        served_bytes: counters.served,
        from_cache_bytes: counters.cache,
        from_peers_bytes: counters.peers,
        from_mirror_bytes: counters.mirror,
        uploaded_bytes: counters.uploaded,
        requests: counters.requests,
        errors,
        hash_failures: totals.hashFailures,
        bans: swarm.totals.bans,
      },
      cache: {
        files: cache.files,
        bytes: cache.bytes,
        limit_bytes: cache.limitBytes,
        answers: answers.cache + answers.peers + answers.mirror + answers.mixed,
        hits: answers.cache,
      },
      mirrors,
      peering,
      listening: { http: listening(), peer: swarm.listening },
    };
    return {
      ...facts,
      health: healthOf(facts),
      rates: {
        from_peers: Math.round(rates.fromPeers),
        from_mirror: Math.round(rates.fromMirrors),
        uploaded: Math.round(rates.uploaded),
      },
      lifetime: {
        since: history.since,
        served_bytes: lifetime.served,
        from_cache_bytes: lifetime.cache,
        from_peers_bytes: lifetime.peers,
        from_mirror_bytes: lifetime.mirror,
        uploaded_bytes: lifetime.uploaded,
        saved_bytes: saved(lifetime),
        requests: lifetime.requests,
      },
      recent_errors: recentErrors.list(),
    };
  }
}
