/** Time for deadlines: steps of the wall clock do not move it, and its timers do not keep the process alive. */
import type { Clock } from '../core/clock.ts';

export const kernelClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimeout(callback, ms) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return { clear: () => clearTimeout(timer) };
  },
};
