/**
 * Timers for threads whose deadlines are about what others send. A thread that gets the processor late finds both an
 * expired timer and the bytes that would have stopped it; Node runs the timer first. Here what has arrived is heard
 * before anybody is said to be late.
 */
import { systemClock, type Clock } from './clock.ts';

export const unhurriedClock: Clock = { now: systemClock.now, setTimeout: unhurriedTimeout };

export function unhurriedTimeout(
  callback: () => void,
  ms: number,
): { readonly timer: NodeJS.Timeout; readonly clear: () => void } {
  let arrived: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    // The phase of the event loop after the one that reads sockets and ports.
    arrived = setImmediate(callback);
  }, ms);
  return {
    timer,
    clear() {
      clearTimeout(timer);
      clearImmediate(arrived);
    },
  };
}
