import type { Clock } from '../core/clock.ts';

/** Waits until the work has settled, either way, or `ms` have passed; says whether it settled. Never rejects. */
export function settledWithin(work: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimeout(() => resolve(false), ms);
    const settled = (): void => {
      timer.clear();
      resolve(true);
    };
    work.then(settled, settled);
  });
}
