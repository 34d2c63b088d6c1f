/**
 * The three ways from APT to the local mirror that the download benchmarks compare: straight, through our daemon,
 * through apt-cacher-ng. Each proxy can be made cold: a new process with an empty cache that has seen the indexes.
 */
import { join } from 'node:path';
import { startAptCacherNg } from '../support/apt-cacher-ng.ts';
import { type AptRoot, createAptRoot } from '../support/apt-root.ts';
import { type Daemon, type PeerOptions, daemonIsBuilt, daemonStatus, startDaemon } from '../support/daemon.ts';
import { until } from '../support/http-client.ts';
import type { LocalMirror } from '../support/local-mirror.ts';
import { type Scope, createScope, freeLowPort, freePort } from '../support/scope.ts';

export interface Contestant {
  readonly name: string;
  readonly apt: AptRoot;
  /** Empties its cache and lets it see the indexes again; nothing to do for plain apt. Says which process it is now. */
  cool(): Promise<{ readonly pid?: number }>;
  /** Stops what runs until it is next made cold; nothing to do for plain apt. */
  rest(): Promise<void>;
}

export interface ContestantOptions {
  readonly mirror: LocalMirror;
  readonly mirrorPort: number;
  readonly directory: string;
  readonly logFile: string;
}

/** Contestants with their lists updated, each through its own path. Ours is left out until it is built. */
export async function createContestants(scope: Scope, options: ContestantOptions): Promise<Contestant[]> {
  const contestants = [await plainApt(scope, options)];
  if (daemonIsBuilt()) contestants.push(await daemonContestant(scope, options, 'debtorrent'));
  contestants.push(await aptCacherNg(scope, options));
  for (const contestant of contestants) {
    await contestant.cool();
    await contestant.apt.update();
    await contestant.apt.plan(options.mirror.packages);
  }
  return contestants;
}

/** An APT for the local mirror behind `prefix`, such as the address of a proxy. */
export function aptRoot(
  scope: Scope,
  options: ContestantOptions,
  name: string,
  prefix: string,
  conf: readonly string[] = [],
): Promise<AptRoot> {
  const [main] = options.mirror.suites;
  if (main === undefined) throw new Error('the local mirror has no suite');
  return createAptRoot(scope, {
    directory: join(options.directory, name),
    architecture: options.mirror.architecture,
    sources: [`deb ${prefix}127.0.0.1:${options.mirrorPort}/${main.archive} ${main.suite} main`],
    conf,
  });
}

export async function plainApt(
  scope: Scope,
  options: ContestantOptions,
  conf: readonly string[] = [],
): Promise<Contestant> {
  const apt = await aptRoot(scope, options, 'plain', 'http://', conf);
  return { name: 'apt', apt, cool: async () => ({}), rest: async () => undefined };
}

/**
 * Our daemon, without peers unless they are given; in prefix form, or through the APT method if the configuration that
 * it needs is given.
 */
export async function daemonContestant(
  scope: Scope,
  options: ContestantOptions,
  name: string,
  peers?: PeerOptions,
  methodConf?: readonly string[],
): Promise<Contestant> {
  const port = await freePort();
  const scheme = methodConf === undefined ? 'http' : 'debtorrent';
  const apt = await aptRoot(scope, options, name, `${scheme}://127.0.0.1:${port}/`, methodConf);
  let runs = 0;
  let life = createScope();
  scope.defer(() => life.close());
  return {
    name,
    apt,
    rest: () => life.close(),
    async cool() {
      await life.close();
      scope.assertOpen();
      life = createScope();
      const daemon = await startDaemon(life, {
        cacheDir: join(options.directory, `${name}-cache-${++runs}`),
        port,
        mirrors: [options.mirrorPort],
        logFile: options.logFile,
        ...(peers === undefined ? {} : { peers }),
      });
      await apt.update();
      await indexIsLoaded(daemon, 1);
      return daemon;
    },
  };
}

/** Waits until the catalogue has files of that many indexes. */
export async function indexIsLoaded(daemon: Daemon, indexes: number): Promise<void> {
  const loaded = async () =>
    (await daemonStatus(daemon)).torrents.filter((torrent) => torrent.files > 0).length >= indexes;
  await until(loaded, 60_000, `${indexes} indexes in the daemon`);
}

async function aptCacherNg(scope: Scope, options: ContestantOptions): Promise<Contestant> {
  const port = await freeLowPort();
  const apt = await aptRoot(scope, options, 'apt-cacher-ng', `http://127.0.0.1:${port}/`);
  let runs = 0;
  let life = createScope();
  scope.defer(() => life.close());
  return {
    name: 'apt-cacher-ng',
    apt,
    rest: () => life.close(),
    async cool() {
      await life.close();
      scope.assertOpen();
      life = createScope();
      await startAptCacherNg(life, join(options.directory, `apt-cacher-ng-${++runs}`), port);
      await apt.update();
      return {};
    },
  };
}

/** A B C, B C A, C A B: no contestant always follows the same other. */
export function rotated<T>(list: readonly T[], by: number): T[] {
  return list.map((_, i) => list[(i + by) % list.length] as T);
}
