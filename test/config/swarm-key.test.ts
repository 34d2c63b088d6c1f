import { execFileSync } from 'node:child_process';
import { chmodSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { readSwarmKey } from '../../src/config/swarm-key.ts';
import { Daemon, MAIN } from '../support/daemon.ts';
import { run, until } from '../support/process.ts';

const KEY = '5a'.repeat(32);
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

t.test('what is no key file: one line, exit 2, also when reading it had no end', async (t) => {
  const dir = t.testdir({ empty: '', text: `${KEY.slice(1)}g\n`, short: '5a', huge: KEY });
  truncateSync(join(dir, 'huge'), 2 ** 33);
  execFileSync('mkfifo', [join(dir, 'fifo')]);
  for (const [path, why] of [
    ['/dev/zero', 'it is not a regular file'],
    [join(dir, 'fifo'), 'it is not a regular file'],
    [dir, 'it is not a regular file'],
    [join(dir, 'huge'), 'it is larger than 4096 bytes'],
    [join(dir, 'none'), 'ENOENT: '],
    [join(dir, 'empty'), 'it is empty'],
    [join(dir, 'text'), 'it has other characters than hexadecimal digits'],
    [join(dir, 'short'), 'it has 2 digits'],
  ] as const) {
    const flags = ['--config=/dev/null', '--listen=127.0.0.1:0', `--cache-dir=${dir}/cache`, '--swarm-key', path];
    const { code, output } = await run(process.execPath, [MAIN, ...flags], { timeoutMs: 60_000 });
    t.equal(code, 2, output.slice(0, 500));
    t.ok(output.startsWith(`debtorrent: swarm-key: '${path}' cannot be used: `), output);
    t.ok(output.includes(why) && output.trim().split('\n').length === 1, output);
    t.notOk(output.includes(KEY.slice(2, 40)), 'nothing of the file');
  }
});

t.test('a key that every user can read is used, with a warning', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'swarm.key');
  writeFileSync(path, `${KEY}\n`);
  for (const [mode, warned] of [
    [0o600, 0],
    [0o640, 0],
    [0o644, 1],
  ] as const) {
    chmodSync(path, mode);
    let warnings = 0;
    const key = readSwarmKey(path, { ...quiet, warn: () => (warnings += 1) });
    t.equal(key.toString('hex'), KEY);
    t.equal(warnings, warned, mode.toString(8));
  }
  const daemon = await Daemon.start({ mirrors: [], keyring: '/dev/null', flags: ['--swarm-key', path] });
  t.teardown(() => daemon.close());
  await until('the warning', () => daemon.logged('every user of this machine can read').length === 1);
  t.match(JSON.parse(daemon.logged('every user')[0] ?? '{}'), { level: 'warn', path });
});
