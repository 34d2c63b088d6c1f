/** The scenarios: who downloads when, and what the mirror has sent by the end. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sentBytes } from '../../support/access-log.ts';
import { settle } from '../../support/apt-root.ts';
import { daemonStatus, processorSeconds } from '../../support/daemon.ts';
import { linked } from '../../support/linked.ts';
import type { LocalMirror } from '../../support/local-mirror.ts';
import type { ChosenPackage } from '../../support/package-selection.ts';
import { emptyFiles } from '../../support/rested.ts';
import { type Scope, withScope } from '../../support/scope.ts';
import type { SentByMirror } from '../../support/sent-by-mirror.ts';
import { type Machine, type Meeting, startMachine } from './machine.ts';
import type { Network } from './network.ts';
import type { Outcome, ScenarioName } from './outcome.ts';

/** A scenario that takes longer, its preparation included, has failed. */
const LONGEST_MS = 120_000;

export interface Crowd {
  readonly network: Network;
  readonly copy: LocalMirror;
  readonly packages: readonly ChosenPackage[];
  readonly directory: string;
  /** Directory of a machine that has updated its lists. */
  readonly updated: string;
  readonly sent: SentByMirror;
  readonly meeting: Meeting;
  /** Seconds that plain apt needed alone. */
  readonly alone: number;
  say(line: string): void;
}

/** Runs one scenario on fresh machines and ends everything on them. */
export async function runScenario(parent: Scope, crowd: Crowd, name: ScenarioName): Promise<Outcome> {
  const directory = join(crowd.directory, name);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: not done within ${LONGEST_MS / 1000} s`)), LONGEST_MS);
  });
  try {
    const work = withScope(parent, (scope) => Promise.race([scenario(scope, crowd, name, directory), tooLong]));
    return await work;
  } finally {
    clearTimeout(timer);
    // Removed at the end of all: the next scenario's machines would make their files slowly.
    await emptyFiles(directory);
  }
}

async function scenario(scope: Scope, crowd: Crowd, name: ScenarioName, directory: string): Promise<Outcome> {
  const { network, packages, say } = crowd;
  const machines: Machine[] = [];
  for (const [i, host] of network.machines.entries()) {
    const options = {
      network,
      host,
      copy: crowd.copy,
      directory: join(directory, `machine${i + 1}`),
      logFile: join(crowd.directory, `${name}-machine${i + 1}.log`),
      meeting: crowd.meeting,
    };
    machines.push(await startMachine(scope, options, crowd.updated));
  }
  scope.defer(() => network.kill(network.machines)); // first: nobody has to say goodbye to anybody
  const daemons = machines.map(({ daemon }) => daemon);
  if (!(await linked(daemons, machines.length - 1))) {
    const links = await Promise.all(daemons.map(async (daemon) => (await daemonStatus(daemon)).peers.length));
    say(`  not all machines have found each other: ${links.join(' ')} links`);
  }
  for (const { apt } of machines) await apt.plan(packages);
  const bytes = packages.reduce((sum, { size }) => sum + size, 0);
  await settle(scope, directory, 2 * machines.length * bytes);
  const indexes = sentBytes(await crowd.sent.since()).others;
  const used = await Promise.all(daemons.map(({ pid }) => processorSeconds(pid)));

  const finished: number[] = [];
  const failed: string[] = [];
  const victim = name === 'killed' ? machines[machines.length >> 1] : undefined;
  const download = async (machine: Machine, index: number): Promise<void> => {
    try {
      finished.push((await machine.apt.download(packages, 'settled')) / 1000);
    } catch (error) {
      if (machine !== victim) failed.push(`machine ${index + 1}: ${String(error)}`);
    }
  };
  if (name === 'turn') {
    for (const [i, machine] of machines.entries()) await download(machine, i);
  } else {
    const downloads = machines.map(download);
    if (victim !== undefined) {
      await sleep((crowd.alone * 1000) / 2);
      say(`  killing ${victim.host.namespace}`);
      await network.kill([victim.host]);
    }
    await Promise.all(downloads);
  }
  const log = sentBytes(await crowd.sent.since());
  const cpu = await Promise.all(daemons.map(async ({ pid }, i) => (await processorSeconds(pid)) - (used[i] ?? 0)));
  say(`  copies ${(log.packages / bytes).toFixed(3)}; seconds ${finished.map((s) => s.toFixed(1)).join(' ')}`);
  say(`  processors, s: ${cpu.map((s) => s.toFixed(1)).join(' ')}`);
  for (const { daemon, host } of machines) {
    if (host === victim?.host) continue;
    const { totals } = await daemonStatus(daemon);
    const mb = (key: string): string => ((totals[key] ?? 0) / 1e6).toFixed(1);
    say(
      `  ${host.address}: from peers ${mb('from_peers_bytes')} MB, mirror ${mb('from_mirror_bytes')} MB, ` +
        `uploaded ${mb('uploaded_bytes')} MB, hash failures ${totals['hash_failures'] ?? 0}, bans ${totals['bans'] ?? 0}`,
    );
  }
  for (const line of failed) say(`  ${line}`);
  return { sent: { packages: log.packages, others: log.others + indexes }, finished, failed };
}
