/** One machine of the crowd: its own daemon and its own APT, both of which know the index before the clock starts. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { type AptRoot, createAptRoot } from '../../support/apt-root.ts';
import { indexIsLoaded } from '../contestants.ts';
import { type Daemon, startDaemon } from '../../support/daemon.ts';
import type { LocalMirror } from '../../support/local-mirror.ts';
import type { Scope } from '../../support/scope.ts';
import type { Host, Network } from './network.ts';

const PORT = 9988;
const PEER_PORT = 9989;

export interface Machine {
  readonly host: Host;
  readonly apt: AptRoot;
  readonly daemon: Daemon;
}

/** How the machines learn of each other. */
export type Meeting = 'lan' | 'fixed';

export interface MachineOptions {
  readonly network: Network;
  readonly host: Host;
  readonly copy: LocalMirror;
  /** For the cache and APT's root; made here. */
  readonly directory: string;
  readonly logFile: string;
  readonly meeting: Meeting;
}

/** @param like Directory of a machine that has updated its lists, and stopped; left out: the lists are updated now. */
export async function startMachine(scope: Scope, options: MachineOptions, like?: string): Promise<Machine> {
  const { network, host, copy, directory } = options;
  const [main] = copy.suites;
  if (main === undefined) throw new Error('the local mirror has no suite');
  const apt = await createAptRoot(scope, {
    directory: join(directory, 'apt'),
    architecture: copy.architecture,
    sources: [`deb http://127.0.0.1:${PORT}/${network.mirror.address}/${main.archive} ${main.suite} main`],
    through: host.through,
  });
  if (like !== undefined) {
    for (const part of ['cache', 'apt/lists']) {
      await cp(join(like, part), join(directory, part), { recursive: true, preserveTimestamps: true });
    }
  }
  const others = network.machines.filter((other) => other !== host).map(({ address }) => `${address}:${PEER_PORT}`);
  const daemon = await startDaemon(scope, {
    cacheDir: join(directory, 'cache'),
    port: PORT,
    socket: join(directory, 'apt.sock'),
    mirrors: [network.mirror.address],
    logFile: options.logFile,
    through: host.through,
    peers: {
      listen: `[::]:${PEER_PORT}`,
      lan: options.meeting === 'lan',
      fixed: options.meeting === 'lan' ? [] : others,
    },
  });
  if (like === undefined) await apt.update();
  await indexIsLoaded(daemon, 1);
  return { host, apt, daemon };
}
