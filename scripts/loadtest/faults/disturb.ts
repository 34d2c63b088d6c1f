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
  let over = false;
  const every = (ms: number | undefined, name: string, act: (() => Promise<unknown>) | undefined): void => {
    if (ms === undefined || act === undefined) return;
    let due = false;
    const again = (): void => {
      if (due) return; // those that come faster than they can be done would go on long after the load
      due = true;
      working = working
        .then(async () => over || act())
        .catch((error: unknown) => say(`${name}: ${String(error)}`))
        .finally(() => (due = false));
    };
    timers.push(setInterval(again, ms));
  };
  every(restart, 'restart', target.restart);
  every(killPeer, 'kill-peer', target.killPeer);
  return async () => {
    over = true;
    for (const timer of timers) clearInterval(timer);
    await working;
  };
}
