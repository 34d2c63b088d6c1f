/**
 * One installer or builder at a time in a checkout. The lock is a directory (mkdir is atomic) that holds who owns
 * it; a lock whose owner is dead is taken over, so that kill -9 blocks nobody.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
const HEARTBEAT_MS = 5_000;
/** A lock without a heartbeat for this long is stale whoever holds it: its owner may be in another container. */
const STALE_MS = 60_000;
/** The owner is written right after the directory is made; one that has none after this long died in between. */
const UNOWNED_MS = 3_000;

/** When a process started, in clock ticks since boot: tells it from a later one with the same id. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function isAlive({ pid, start }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  return start === undefined || startOf(pid) === undefined || startOf(pid) === start;
}

/** The lock as it is now; undefined when there is none. */
function readLock(lock) {
  try {
    const age = Date.now() - statSync(lock).mtimeMs;
    try {
      const owners = JSON.parse(readFileSync(join(lock, 'owners.json'), 'utf8'));
      return { stale: age > STALE_MS || !owners.some(isAlive), key: JSON.stringify(owners) };
    } catch {
      return { stale: age > UNOWNED_MS, key: '' };
    }
  } catch {
    return undefined;
  }
}

/** Renames before it removes: only one of several waiters gets to take a stale lock away. */
function removeStale(lock, key) {
  if (readLock(lock)?.key !== key) return;
  const aside = `${lock}.stale-${process.pid}`;
  try {
    renameSync(lock, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch {
    // another waiter was faster
  }
}

/**
 * Runs `work` while holding `lock`.
 * @param {string} lock path of a directory that is made and removed
 * @param {(holdFor: (pid: number) => void) => Promise<T>} work is given a function to name a child process that does
 *   the work: as long as that runs the lock counts as held, even if this process is killed
 * @template T
 */
export async function withLock(lock, work) {
  mkdirSync(dirname(lock), { recursive: true });
  let said = false;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const state = readLock(lock);
    if (state?.stale) removeStale(lock, state.key);
    else if (state) {
      if (!said) process.stderr.write('waiting for another installation or build of this checkout\n');
      said = true;
      await sleep(POLL_MS);
    }
  }
  const owners = [{ pid: process.pid, start: startOf(process.pid) }];
  const path = join(lock, 'owners.json');
  // renamed into its place: to who reads it half written the lock would have no owner, and be taken away in the middle
  const writeOwners = () => {
    writeFileSync(`${path}.new`, JSON.stringify(owners));
    renameSync(`${path}.new`, path);
  };
  const release = () => rmSync(lock, { recursive: true, force: true });
  writeOwners();
  const heartbeat = setInterval(() => {
    try {
      utimesSync(lock, new Date(), new Date());
    } catch {
      // somebody removed dist/ with the lock in it: nothing to keep alive
    }
  }, HEARTBEAT_MS);
  process.once('exit', release);
  try {
    return await work((pid) => {
      owners.push({ pid, start: startOf(pid) });
      writeOwners();
    });
  } finally {
    clearInterval(heartbeat);
    process.removeListener('exit', release);
    release();
  }
}
