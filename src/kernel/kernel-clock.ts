/** For deadlines: a reply that has arrived when one is noticed late still counts, and none keeps the process alive. */
import { systemClock, type Clock } from '../core/clock.ts';
import { unhurriedTimeout } from '../core/unhurried-clock.ts';

export const kernelClock: Clock = {
  now: systemClock.now,
  setTimeout(callback, ms) {
    const timeout = unhurriedTimeout(callback, ms);
    timeout.timer.unref();
    return timeout;
  },
};
