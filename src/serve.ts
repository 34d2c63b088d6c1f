/** Starts the daemon's parts in order, keeps them running, and stops them in reverse. */
import type { CatalogueUpdate } from './core/archive/archive-state.ts';
import type { Config } from './config/schema.ts';
import { discreet } from './config/discreet-log.ts';
import { checkSettings } from './config/check-settings.ts';
import { readSwarmKey } from './config/swarm-key.ts';
import { createLog } from './config/log.ts';
import { introduction, readVersion } from './config/version.ts';
import { asDebtorrentError, DebtorrentError } from './core/errors.ts';
import { systemClock } from './core/clock.ts';
import { formatAuthority } from './core/http/authority.ts';
import { compileHostRules } from './core/host-rules.ts';
import { mirrorTarget } from './core/http/target.ts';
import type { Logger } from './core/logging.ts';
import { TokenBucket } from './core/swarm/token-bucket.ts';
import type { HttpBackupProtocol } from './actors/http-backup/http-backup.ts';
import { systemCertificates } from './actors/http-backup/system-certificates.ts';
import { MIRROR_TIMEOUTS } from './actors/http-backup/timeouts.ts';
import type { PackagesParserProtocol } from './actors/packages-parser/packages-parser.ts';
import { layoutOf } from './actors/store/layout.ts';
import type { StoreProtocol } from './actors/store/protocol.ts';
import type { PeersProtocol } from './actors/swarm/protocol.ts';
import type { TransfersProtocol } from './actors/transfers/protocol.ts';
import { CatalogueView } from './actors/catalogue-view.ts';
import { createGateway, type GatewayProtocol } from './gateway/gateway.ts';
import { listen, type Listeners } from './gateway/listeners.ts';
import { LazyExchanger } from './gateway/lazy-exchanger.ts';
import { createMetrics } from './gateway/metrics.ts';
import { MirrorFiles } from './gateway/mirror-files.ts';
import { MethodSessions } from './gateway/method/sessions.ts';
import { ownNames } from './gateway/own-names.ts';
import { OwnPages } from './gateway/own-pages.ts';
import { PASSED_CONNECTIONS } from './gateway/pass-through.ts';
import { PassedBytes } from './gateway/passed-bytes.ts';
import { loadHistory } from './gateway/status/history-file.ts';
import { History } from './gateway/status/history.ts';
import { Observer } from './gateway/status/observe.ts';
import { noting, RecentErrors } from './gateway/status/recent-errors.ts';
import { Recorder } from './gateway/status/recorder.ts';
import { Reporter } from './gateway/status/report.ts';
import { Tunnels } from './gateway/tunnel.ts';
import { spawn } from './kernel/actor.ts';
import { createSupervisor, type Child } from './kernel/supervisor.ts';
import { Switchboard } from './kernel/switchboard.ts';
import { threadChild as thread } from './kernel/thread.ts';
import { workerUrl } from './kernel/worker-url.ts';
import type { FetchBoot } from './workers/fetch.worker.ts';
import { lockCache } from './cache-lock.ts';
import { nextSignal, type NextSignal } from './next-signal.ts';
import { systemNotify } from './system-notify.ts';
import { flagsForThreads, flagsForWork } from './v8-flags.ts';
import type { SwarmBoot } from './workers/swarm.worker.ts';
import type { ParserBoot } from './workers/parser.worker.ts';

/** Answers under way at SIGTERM may take this long before they are cut, in milliseconds. */
const DRAIN_MS = 5_000;

/** Resolves with the exit code when the daemon has stopped. */
export async function serve(config: Config): Promise<number> {
  const signalled = nextSignal();
  const { logger: log, flush } = await createLog(config);
  let unlock: (() => void) | undefined;
  try {
    unlock = await lockCache(config.cacheDir, log);
    return await run(config, log, signalled);
  } catch (error) {
    if (!(error instanceof DebtorrentError)) log.error({ err: error }, 'the daemon cannot start');
    throw error;
  } finally {
    signalled.dispose();
    unlock?.();
    flush();
  }
}

async function run(config: Config, ownLog: Logger, signalled: NextSignal): Promise<number> {
  flagsForThreads();
  const version = readVersion();
  const recentErrors = new RecentErrors(Date.now);
  const log = discreet(noting(ownLog, recentErrors));
  const introduced = introduction(version);
  const rules = compileHostRules(config.allowMirror);
  checkSettings(config, log, process.env);
  const supervisor = createSupervisor({ log });
  const switchboard = new Switchboard([['fetch', 'swarm']]);
  const transfers = supervisor.ref<TransfersProtocol>('fetch', 'transfers');
  const store = supervisor.ref<StoreProtocol>('fetch', 'store');
  const mirror = supervisor.ref<HttpBackupProtocol>('fetch', 'mirror');
  const parser = supervisor.ref<PackagesParserProtocol>('parser', 'parser');
  const swarmKey = config.swarmKey === undefined ? undefined : readSwarmKey(config.swarmKey, log);
  const peers = config.peerListen === 'off' ? undefined : supervisor.ref<PeersProtocol>('swarm', 'peers');
  /** What the swarm is told again when it has to start again. */
  let catalogue: CatalogueUpdate | undefined;
  const metrics = createMetrics();
  const view = new CatalogueView();
  const tunnels = new Tunnels({ rules, log, answered: (status, ms) => metrics.request(status, undefined, 0, ms) });
  const exchanger = new LazyExchanger({
    rules,
    connections: PASSED_CONNECTIONS,
    timeouts: MIRROR_TIMEOUTS,
    ca: systemCertificates,
  });
  let listeners: Listeners | undefined;
  let ready = false;

  const passed = new PassedBytes();
  const files = new MirrorFiles({
    rules,
    transfers,
    parser,
    log,
    now: systemClock.now,
    date: systemClock.date,
    planner: {
      catalogue: view.catalogue,
      alternates: config.alternateMirror,
      catalogueChanged: (ms) => view.changed(ms),
      now: systemClock.now,
    },
    passThrough: {
      exchanger: () => exchanger.get(),
      rules,
      ...introduced,
      limit: new TokenBucket({ rate: config.downloadLimit }),
      now: systemClock.now,
      date: systemClock.date,
      received: (host, bytes) => passed.add(host, bytes),
    },
  });
  const layout = layoutOf(config.cacheDir);
  const history = new History(Date.now(), await loadHistory(layout.history, log));
  const observer = new Observer({ transfers, store, mirror, passed, peers, clock: systemClock });
  const listening = () => listeners?.address ?? formatAuthority(config.listen.host, config.listen.port);
  const reporter = new Reporter({
    version,
    catalogue: view.catalogue,
    observer,
    metrics,
    history,
    recentErrors,
    listening,
  });
  const sample = () => reporter.sample();
  const recorder = new Recorder({ history, path: layout.history, clock: systemClock, log, sample });
  const pages = new OwnPages({
    version,
    rules,
    observer,
    reporter,
    metrics,
    history,
    clock: systemClock,
    listening,
    ready: () => ready,
  });
  const own = ownNames(() => listeners?.port ?? config.listen.port, config.listen.host);
  const sessions = new MethodSessions({
    locate: (target) => mirrorTarget(target, own()),
    prefetch: (url, expected) => files.prefetch(url, expected),
    figures: () => observer.figures(),
    // so that a transaction does not evict what it has fetched ahead
    aheadBytes: config.cacheSize === 0 ? Number.MAX_SAFE_INTEGER : config.cacheSize / 4,
  });
  const gateway = createGateway({
    view,
    files,
    pages,
    tunnels,
    sessions,
    metrics,
    log,
    catalogueChanged(update) {
      catalogue = update;
      peers?.tell('catalogue', update);
    },
    own,
    via: introduced.via,
  });
  const fetchBoot: FetchBoot = {
    cacheDir: config.cacheDir,
    cacheBytes: config.cacheSize,
    allowMirror: config.allowMirror,
    mirrorConnections: config.mirrorConnections,
    downloadLimit: config.downloadLimit,
    ...introduced,
    peers: peers !== undefined,
  };
  const parserBoot: ParserBoot = {
    catalogueDir: layout.catalogue,
    keyrings: config.keyring,
    publicKeyrings: config.publicKeyring,
    ...(swarmKey && { swarmKey }),
  };
  const children: Child[] = [
    thread({ name: 'fetch', url: workerUrl('fetch'), boot: fetchBoot, switchboard, log }),
    ...(peers === undefined ? [] : [swarmChild()]),
    {
      name: 'gateway',
      start: async () => {
        const actor = spawn<GatewayProtocol>({ name: 'gateway', behaviour: gateway.behaviour, log });
        return { refs: { gateway: actor.ref }, ended: actor.ended, stop: () => actor.stop() };
      },
    },
    // After the gateway, which it tells what it knows before the first request comes.
    thread({
      name: 'parser',
      url: workerUrl('parser'),
      boot: parserBoot,
      refs: { fetcher: transfers, room: store, gateway: supervisor.ref<GatewayProtocol>('gateway', 'gateway') },
      log,
    }),
    recorder.child,
    {
      name: 'listeners',
      start: async () => {
        // After a restart the same port again, also when the system has picked it.
        const port = listeners?.port ?? config.listen.port;
        const open = await listen(gateway, { host: config.listen.host, port }, config.socket);
        listeners = open;
        return {
          refs: {},
          ended: open.failed.then((error) => ({ error })),
          async stop() {
            open.stopAccepting();
            pages.close();
            await Promise.race([gateway.idle(), later(DRAIN_MS)]);
            gateway.abort();
            await open.close();
            await exchanger.close();
          },
        };
      },
    },
  ];

  /** Peers are a help and no need: a daemon whose swarms fail again and again goes on with mirrors. */
  function swarmChild(): Child {
    const boot: SwarmBoot = {
      client: `DebTorrent ${version}`,
      cacheDir: config.cacheDir,
      listen: config.peerListen as Exclude<Config['peerListen'], 'off'>,
      swarmKey,
      uploadLimit: config.uploadLimit,
      downloadLimit: config.downloadLimit,
      fixedPeers: config.peer,
      trackers: config.tracker,
      lan: config.lan,
      dht: config.dht,
      dhtBootstrap: config.dhtBootstrap,
    };
    return {
      ...thread({ name: 'swarm', url: workerUrl('swarm'), boot, switchboard, log }),
      essential: false,
      onRestart() {
        if (catalogue !== undefined) peers?.tell('catalogue', catalogue);
      },
    };
  }

  const answers = () => observer.answers();
  const system = systemNotify({ env: process.env, pid: process.pid, answers, clock: systemClock, log });
  signalled.begun();
  try {
    const started = supervisor.start(children).then(() => undefined);
    const early = await Promise.race([signalled.promise, started]);
    if (early !== undefined) {
      log.info({ signal: early }, 'stopping before it was ready');
      return 0;
    }
    metrics.started();
    ready = true;
    flagsForWork();
    const address = listeners?.address ?? '';
    const peer = (await peers?.ask('status'))?.listening ?? null;
    process.stdout.write(`ready ${JSON.stringify({ http: address, peer, pid: process.pid })}\n`);
    log.info({ http: address, peer, version, cacheDir: config.cacheDir }, 'ready');
    system.ready();
    recorder.start();
    const failure = await Promise.race([signalled.promise, supervisor.failed]);
    ready = false;
    system.stopping();
    if (failure instanceof Error) {
      log.error({ err: failure, code: asDebtorrentError(failure).code }, 'the daemon gives up');
      return 1;
    }
    log.info({ signal: failure }, 'stopping');
    return 0;
  } finally {
    // now, as whoever stops it may lose patience; and once more when the last answers have ended
    await recorder.stop();
    await supervisor.stop();
    await system.close();
    metrics.close();
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
