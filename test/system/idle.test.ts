/** A daemon that nobody asks for anything lets the machine sleep. */
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import t from 'tap';

import { Daemon } from '../support/daemon.ts';

t.setTimeout(600_000);

/** Of the process in a second; a timer that measures or looks after something all the time takes more. */
const MANY = 15;

/** How often threads of the process have waited, and were woken, since it started. */
function wakeups(pid: number): number {
  let count = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
      count += Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)?.[1]);
    } catch (error) {
      // Threads of the libraries end by themselves between the two looks.
      if (!['ENOENT', 'ESRCH'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    }
  }
  return count;
}

t.test('an idle daemon wakes up a few times a second, all of its threads together', async (t) => {
  const daemon = await Daemon.start({ mirrors: [], keyring: '/dev/null', peers: {}, flags: ['--log-level', 'info'] });
  t.teardown(() => daemon.close());
  // What starting up has set going ends by itself; V8 collects garbage once or twice after that.
  await sleep(15_000);
  let least = Infinity;
  for (let look = 0; look < 5 && least > MANY; look++) {
    const before = wakeups(daemon.ready.pid);
    await sleep(3_000);
    least = Math.min(least, (wakeups(daemon.ready.pid) - before) / 3);
  }
  t.ok(least >= 0 && least <= MANY, `${least} a second`);
});
