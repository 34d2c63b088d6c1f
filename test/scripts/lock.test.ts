import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../support/process.ts';

type WithLock = (lock: string, work: (holdFor: (pid: number) => void) => Promise<void>) => Promise<void>;

const MODULE = fileURLToPath(new URL('../../../scripts/lib/lock.mjs', import.meta.url));
const { withLock } = (await import(MODULE)) as { withLock: WithLock };

/** Reads the file so often, as those who wait do, and says how often it was half written. */
const READER = `
  const { readFileSync } = require('node:fs');
  let broken = 0;
  for (let n = 0; n < 500; n++) try { JSON.parse(readFileSync(process.argv[1], 'utf8')); } catch { broken++; }
  console.log(broken);`;

t.test('those who wait see at each moment who has the lock, also while he adds somebody', async (t) => {
  const lock = join(t.testdir(), '.lock');
  await withLock(lock, async (holdFor) => {
    let reading = true;
    const reader = run(process.execPath, ['-e', READER, join(lock, 'owners.json')]).finally(() => (reading = false));
    while (reading) {
      holdFor(process.pid);
      await setImmediate();
    }
    t.match(await reader, { code: 0, stdout: '0\n' });
  });
  t.notOk(existsSync(lock));
});
