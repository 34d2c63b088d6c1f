/**
 * Where a thread's numbers of transfers, jobs and wants begin. Other threads go on using those of a thread that has
 * failed, so its successor must not give the same ones to something else: each begins somewhere, up to 2^47.
 */
import { randomInt } from 'node:crypto';

export function firstId(): number {
  return randomInt(1, 2 ** 47);
}
