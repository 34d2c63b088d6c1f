/** The figures of /metrics and of `totals` in /status.json. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import { systemClock } from '../core/clock.ts';
import type { SourceLabel } from '../core/fetch-plan.ts';
import { LoopDelay } from './loop-delay.ts';

/** What other actors know, fetched when somebody asks. */
export interface Observed {
  readonly transfers: number;
  readonly hashFailures: number;
  readonly cacheBytes: number;
  readonly cacheFiles: number;
  readonly torrents: readonly { readonly name: string; readonly peers: number }[];
  readonly mirrors: readonly { readonly host: string; readonly bytes: number }[];
  /** Since the swarm thread has started. */
  readonly peers: { readonly downBytes: number; readonly upBytes: number; readonly bans: number };
}

export interface Metrics {
  /** A request has come. */
  arrived(): void;
  request(code: number, source: SourceLabel | undefined, bytes: number, firstByteMs: number | undefined): void;
  render(observed: Observed): Promise<string>;
  readonly contentType: string;
  totals(): {
    servedBytes: number;
    bySource: Record<SourceLabel, number>;
    /** Answers with bytes of a file, by where those came from. */
    answers: Record<SourceLabel, number>;
    requests: number;
    errors: number;
  };
  /** Forgets the delays of starting up. */
  started(): void;
  close(): void;
}

/**
 * The library measures the event loop too, with a timer that never rests: it is given an interval in which it costs
 * nothing, and what it makes of that is not shown.
 */
const RARELY_MS = 3_600_000;
const RARELY_MEASURED = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: RARELY_MS });
  for (const each of RARELY_MEASURED) registry.removeSingleMetric(`nodejs_eventloop_lag_${each}_seconds`);
  const loop = new LoopDelay(systemClock);

  const gauge = (name: string, help: string) => new Gauge({ name: `debtorrent_${name}`, help, registers });
  const served = new Counter({
    name: 'debtorrent_served_bytes_total',
    help: 'Bytes of files sent to clients, by where they came from',
    labelNames: ['source'],
    registers,
  });
  const mirror = new Counter({
    name: 'debtorrent_mirror_bytes_total',
    help: 'Bytes received from mirrors',
    labelNames: ['host'],
    registers,
  });
  const requests = new Counter({
    name: 'debtorrent_requests_total',
    help: 'Requests answered, by status code',
    labelNames: ['code'],
    registers,
  });
  const seconds = new Histogram({
    name: 'debtorrent_request_seconds',
    help: 'Time to the first byte of the answer',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const transfers = gauge('transfers', 'Files being fetched');
  const peers = new Gauge({
    name: 'debtorrent_peers',
    help: 'Connected peers, by torrent',
    labelNames: ['torrent'],
    registers,
  });
  const torrents = gauge('torrents', 'Torrents');
  const peerDown = new Counter({ name: 'debtorrent_peer_download_bytes_total', help: 'Bytes from peers', registers });
  const peerUp = new Counter({ name: 'debtorrent_peer_upload_bytes_total', help: 'Bytes to peers', registers });
  const bans = new Counter({ name: 'debtorrent_peer_bans_total', help: 'Peers banned', registers });
  const hashFailures = new Counter({
    name: 'debtorrent_hash_failures_total',
    help: 'Files whose SHA-256 was wrong',
    registers,
  });
  const cacheBytes = gauge('cache_bytes', 'Bytes of finished files in the cache');
  const cacheFiles = gauge('cache_files', 'Finished files in the cache');
  const delay = new Gauge({
    name: 'debtorrent_event_loop_delay_seconds',
    help: 'Delay of the event loop while there are requests: since they came after a rest; the longest since the start',
    // of the delays; `quantile` is the label of summaries, which this is none of
    labelNames: ['fraction'],
    registers,
  });

  const bySource: Record<SourceLabel, number> = { cache: 0, peers: 0, mirror: 0, mixed: 0 };
  const answers = { ...bySource };
  const servedBy = { cache: served.labels('cache'), peers: served.labels('peers'), mirror: served.labels('mirror') };
  for (const counter of [peerDown, peerUp, bans, ...Object.values(servedBy)]) counter.inc(0);
  const requestsBy = new Map<number, ReturnType<typeof requests.labels>>();
  let total = 0;
  let errors = 0;

  return {
    contentType: registry.contentType,
    arrived: () => loop.busy(),
    request(code, source, bytes, firstByteMs) {
      total += 1;
      if (code >= 400) errors += 1;
      let counter = requestsBy.get(code);
      if (counter === undefined) requestsBy.set(code, (counter = requests.labels(String(code))));
      counter.inc();
      if (firstByteMs !== undefined) seconds.observe(firstByteMs / 1000);
      if (source === undefined || bytes === 0) return;
      bySource[source] += bytes;
      answers[source] += 1;
      servedBy[source === 'mixed' ? 'mirror' : source].inc(bytes);
    },
    async render(observed) {
      transfers.set(observed.transfers);
      torrents.set(observed.torrents.length);
      // Counted by other actors: the registry's counter is brought to their figure.
      hashFailures.reset();
      hashFailures.inc(observed.hashFailures);
      mirror.reset();
      for (const [counter, value] of [
        [peerDown, observed.peers.downBytes],
        [peerUp, observed.peers.upBytes],
        [bans, observed.peers.bans],
      ] as const) {
        counter.reset();
        counter.inc(value);
      }
      cacheBytes.set(observed.cacheBytes);
      cacheFiles.set(observed.cacheFiles);
      peers.reset();
      for (const torrent of observed.torrents) peers.set({ torrent: torrent.name }, torrent.peers);
      for (const { host, bytes } of observed.mirrors) mirror.inc({ host }, bytes);
      for (const share of [0.5, 0.99, 1]) delay.set({ fraction: String(share) }, loop.quantile(share));
      return registry.metrics();
    },
    totals: () => ({
      servedBytes: bySource.cache + bySource.peers + bySource.mirror + bySource.mixed,
      bySource: { ...bySource },
      answers: { ...answers },
      requests: total,
      errors,
    }),
    started: () => loop.reset(),
    close: () => loop.close(),
  };
}
