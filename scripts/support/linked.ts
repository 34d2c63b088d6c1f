/** Waits for daemons to find each other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Daemon, daemonStatus } from './daemon.ts';

/** False when one of the daemons still has fewer than `links` peers after `timeoutMs`. */
export async function linked(daemons: readonly Daemon[], links: number, timeoutMs = 15_000): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (const daemon of daemons) {
    while ((await daemonStatus(daemon)).peers.filter(({ banned }) => !banned).length < links) {
      if (performance.now() > deadline) return false;
      await sleep(50);
    }
  }
  return true;
}
