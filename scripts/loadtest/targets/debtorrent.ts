/** Our daemon: one, or several as a swarm of which clients use some. */
import { join } from 'node:path';
import {
  type Daemon,
  type DaemonOptions,
  daemonIsBuilt,
  daemonMetric,
  daemonStatus,
  startDaemon,
} from '../../support/daemon.ts';
import { until } from '../../support/http-client.ts';
import { linked } from '../../support/linked.ts';
import { type Scope, createScope, freePort, run } from '../../support/scope.ts';
import { routeTo } from '../client/route.ts';
import type { RunningTarget, Target, TargetContext } from './target.ts';

export interface DebtorrentOptions {
  /** Daemons; more than one find each other by address. */
  readonly daemons: number;
  /** Further ones that no client uses: peers that have what was asked for by others, and can die. */
  readonly extra: number;
  readonly form: 'prefix' | 'proxy';
}

export function debtorrent(options: DebtorrentOptions): Target {
  const { daemons, form, extra } = options;
  const swarm = daemons + extra > 1;
  return {
    name: swarm ? `debtorrent x ${daemons + extra}` : 'debtorrent',
    about: swarm
      ? `${daemons} daemons for clients and ${extra} further peers of theirs, ${form} form`
      : `one daemon, no peers, ${form} form`,
    unable: async () => (daemonIsBuilt() ? undefined : 'it is not built'),
    version: async (scope) =>
      (await run(scope, 'git', ['describe', '--always', '--dirty']).catch(() => undefined))?.stdout.trim() ?? 'unknown',
    start: (scope, context) => startDaemons(scope, context, options),
  };
}

interface Life {
  readonly options: DaemonOptions;
  scope: Scope;
  daemon: Daemon;
}

async function startDaemons(scope: Scope, context: TargetContext, of: DebtorrentOptions): Promise<RunningTarget> {
  const count = of.daemons + of.extra;
  const addresses = await Promise.all(Array.from({ length: count }, async () => `127.0.0.1:${await freePort()}`));
  const lives: Life[] = [];
  const begin = async (options: DaemonOptions): Promise<Life> => {
    const own = createScope();
    scope.defer(() => own.close());
    return { options, scope: own, daemon: await startDaemon(own, options) };
  };
  for (let i = 0; i < count; i++) {
    const fixed = addresses.filter((_, other) => other !== i);
    const { keyring } = context.archive;
    const keyrings = keyring === undefined ? [] : [keyring];
    lives.push(
      await begin({
        cacheDir: join(context.directory, `cache-${i + 1}`),
        port: await freePort(),
        mirrors: [context.mirror],
        logFile: context.logFile,
        keyrings,
        publicKeyrings: keyrings,
        ...(count > 1 ? { peers: { listen: addresses[i] ?? '', lan: false, fixed } } : {}),
      }),
    );
  }
  const used = lives.slice(0, of.daemons);
  const idle = lives.slice(of.daemons);
  const settled = async (): Promise<void> => {
    for (const { daemon } of lives) {
      const loaded = async () => (await daemonStatus(daemon)).torrents.some(({ files }) => files > 0);
      await until(loaded, 60_000, 'the index in the daemon');
    }
    if (count > 1)
      await linked(
        lives.map(({ daemon }) => daemon),
        count - 1,
      );
  };
  const late = (daemon: Daemon) => daemonMetric(daemon, /^debtorrent_event_loop_delay_seconds/).catch(() => 0);
  /** Of those that have been restarted; 0 is as good as unknown. */
  let latest = 0;
  let turn = 0;
  const route = ({ daemon }: Life) => {
    const { hostname, port } = new URL(daemon.base);
    return routeTo({ host: hostname, port: Number(port) }, of.form, context.mirror, context.archive.base);
  };
  return {
    routes: used.map(route),
    peerRoutes: idle.map(route),
    speaksMethod: of.form === 'prefix',
    pids: () => lives.map(({ daemon }) => daemon.pid),
    async loopDelay() {
      return Math.max(latest, ...(await Promise.all(lives.map(({ daemon }) => late(daemon))))) || undefined;
    },
    settled,
    async restart() {
      const life = used[turn++ % used.length];
      if (life === undefined) return;
      const { port } = new URL(life.daemon.base);
      latest = Math.max(latest, await late(life.daemon));
      await life.scope.close();
      scope.assertOpen();
      const next = await begin({ ...life.options, port: Number(port) });
      Object.assign(life, next);
    },
    async killPeer() {
      const victim = idle.pop();
      victim?.daemon.child.kill('SIGKILL');
      return victim !== undefined;
    },
  };
}
