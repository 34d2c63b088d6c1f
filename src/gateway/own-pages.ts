/** The daemon's own addresses: /, /status.json, /metrics, /healthz, /readyz. */
import { asDebtorrentError, DebtorrentError } from '../core/errors.ts';
import type { Catalogue } from '../core/archive/catalogue.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import type { HttpBackupProtocol, MirrorStats } from '../actors/http-backup/http-backup.ts';
import type { PeersProtocol, PeersStatus } from '../actors/swarm/protocol.ts';
import type { StoreProtocol, StoreStats } from '../actors/store/protocol.ts';
import type { TransfersProtocol } from '../actors/transfers/protocol.ts';
import { sendText } from './answer.ts';
import type { ClientExchange } from './exchange.ts';
import type { Metrics } from './metrics.ts';

export interface OwnPagesDeps {
  readonly version: string;
  readonly catalogue: Catalogue;
  readonly transfers: ActorRef<TransfersProtocol>;
  readonly store: ActorRef<StoreProtocol>;
  readonly mirror: ActorRef<HttpBackupProtocol>;
  /** Absent when peers are off. */
  readonly peers?: ActorRef<PeersProtocol> | undefined;
  readonly metrics: Metrics;
  ready(): boolean;
}

const ASK_MS = 2_000;
const NO_PEERS: PeersStatus = {
  listening: null,
  peers: [],
  torrents: {},
  totals: { downBytes: 0, upBytes: 0, bans: 0 },
};
const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';

export class OwnPages {
  readonly #deps: OwnPagesDeps;
  readonly #startedAt = performance.now();

  constructor(deps: OwnPagesDeps) {
    this.#deps = deps;
  }

  async serve(client: ClientExchange, path: string): Promise<void> {
    client.firstByteMs = performance.now() - client.startedAt;
    switch (path) {
      case '/status.json':
        sendText(client.res, 200, JSON_TYPE, `${JSON.stringify(await this.#status())}\n`);
        return;
      case '/metrics':
        sendText(client.res, 200, this.#deps.metrics.contentType, await this.#metrics());
        return;
      case '/healthz':
        sendText(client.res, 200, TEXT_TYPE, 'ok\n');
        return;
      case '/readyz':
        await this.#readiness(client);
        return;
      default:
        sendText(client.res, 200, TEXT_TYPE, this.#welcome(client));
    }
  }

  /** Ready means that every part answers, not only that the port is open. */
  async #readiness(client: ClientExchange): Promise<void> {
    try {
      if (!this.#deps.ready()) throw new DebtorrentError('STOPPING', 'starting or stopping');
      await Promise.all([this.answers(), this.#peers()]);
      sendText(client.res, 200, TEXT_TYPE, 'ready\n');
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      client.errorCode = code;
      const headers = { 'Retry-After': '1', 'X-Debtorrent-Error': code };
      sendText(client.res, 503, TEXT_TYPE, `not ready: ${message}\n`, headers);
    }
  }

  /** Resolves when all that the daemon cannot do without answers; rejects after two seconds. */
  async answers(): Promise<void> {
    await Promise.all([this.#transfers(), this.#store(), this.#mirrors()]);
  }

  #transfers() {
    return this.#deps.transfers.within(ASK_MS).ask('status');
  }

  #store(): Promise<StoreStats> {
    return this.#deps.store.within(ASK_MS).ask('stats');
  }

  #mirrors(): Promise<MirrorStats[]> {
    return this.#deps.mirror.within(ASK_MS).ask('stats');
  }

  async #peers(): Promise<PeersStatus> {
    return (await this.#deps.peers?.within(ASK_MS).ask('status')) ?? NO_PEERS;
  }

  #torrents(swarms: PeersStatus['torrents']) {
    return this.#deps.catalogue.torrents().map(({ name, id, files, bytes }) => {
      const { peers, wanted } = swarms[id] ?? { peers: 0, wanted: 0 };
      return { name, id, files, bytes, peers, wanted };
    });
  }

  #observe() {
    // The daemon serves without its swarms, and says so by an empty list.
    const peers = this.#peers().catch(() => NO_PEERS);
    return Promise.all([this.#transfers(), this.#store(), this.#mirrors(), peers]);
  }

  async #status(): Promise<object> {
    const [{ transfers, totals }, cache, mirrors, swarm] = await this.#observe();
    const { servedBytes, bySource, requests, errors } = this.#deps.metrics.totals();
    return {
      version: this.#deps.version,
      uptime_s: Math.round((performance.now() - this.#startedAt) / 1000),
      torrents: this.#torrents(swarm.torrents),
      peers: swarm.peers,
      transfers,
      totals: {
        served_bytes: servedBytes,
        from_cache_bytes: bySource.cache,
        from_peers_bytes: totals.fromPeersBytes,
        from_mirror_bytes: mirrors.reduce((sum, { bytes }) => sum + bytes, 0),
        uploaded_bytes: swarm.totals.upBytes,
        requests,
        errors,
        hash_failures: totals.hashFailures,
        bans: swarm.totals.bans,
      },
      cache: { files: cache.files, bytes: cache.bytes, limit_bytes: cache.limitBytes },
      mirrors,
    };
  }

  async #metrics(): Promise<string> {
    const [{ transfers, totals }, cache, mirrors, swarm] = await this.#observe();
    return this.#deps.metrics.render({
      transfers: transfers.length,
      hashFailures: totals.hashFailures,
      cacheBytes: cache.bytes,
      cacheFiles: cache.files,
      torrents: this.#torrents(swarm.torrents),
      mirrors,
      peers: swarm.totals,
    });
  }

  #welcome(client: ClientExchange): string {
    const host = client.header('host') ?? 'localhost';
    return [
      `DebTorrent ${this.#deps.version}: a proxy for APT.`,
      '',
      'Point APT here in one of two ways:',
      `  deb http://${host}/ftp.us.debian.org/debian trixie main        (prefix form, in sources.list)`,
      `  Acquire::http::Proxy "http://${host}";                         (proxy form, in apt.conf)`,
      '',
      'See /status.json, /metrics, /healthz and /readyz.',
      '',
    ].join('\n');
  }
}
