/** Restarts daemons and kills peers while a load runs. */
import type { RunningTarget } from '../targets/target.ts';
import type { Faults } from './faults.ts';

/** @returns What ends it, and resolves when no restart is under way. */
export function disturb(
  target: RunningTarget,
  { restart, killPeer }: Faults,
  say: (line: string) => void,
): () => Promise<void> {
  const timers: NodeJS.Timeout[] = [];
  let working: Promise<unknown> = Promise.resolve();
  const every = (ms: number | undefined, name: string, act: (() => Promise<unknown>) | undefined): void => {
    if (ms === undefined || act === undefined) return;
    const again = (): void => {
      working = working.then(act).catch((error: unknown) => say(`${name}: ${String(error)}`));
    };
    timers.push(setInterval(again, ms));
  };
  every(restart, 'restart', target.restart);
  every(killPeer, 'kill-peer', target.killPeer);
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await working;
  };
}
