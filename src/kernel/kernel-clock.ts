/**
 * Time for deadlines: steps of the wall clock do not move it, its timers do not keep the process alive, and a reply that
 * has arrived when a deadline is noticed late still counts (Node runs timers before it reads ports).
 */
import type { Clock } from '../core/clock.ts';

export const kernelClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimeout(callback, ms) {
    let arrived: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      arrived = setImmediate(callback);
    }, ms);
    timer.unref();
    return {
      clear() {
        clearTimeout(timer);
        clearImmediate(arrived);
      },
    };
  },
};
