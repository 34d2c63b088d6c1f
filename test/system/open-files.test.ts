/** The daemon has as many files open as it may: what it has verified stays, although it cannot be read now. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { skipWithout, skipWithoutApt, until } from '../support/process.ts';
import { Scene, isWhole } from '../support/scene.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt || skipWithout('prlimit');

t.test('a verified file that cannot be opened is not thrown away', { skip }, async (t) => {
  const scene = await Scene.start(t, { state: { add: [{ name: 'large', size: 3_000_000 }] } });
  const { archive, daemon, mirror } = scene;
  await scene.adopt();
  const { path, sha256 } = archive.file('large');
  t.equal((await scene.get(path)).status, 200);
  const kept = join(daemon.cacheDir, 'files', sha256.slice(0, 2), sha256);
  await until('it has its name', () => existsSync(kept));
  // Another date has it hashed, for which a thread starts: it could not with all files open.
  utimesSync(kept, new Date(), new Date(0));
  t.match((await scene.get(path)).headers, { 'x-debtorrent-source': 'cache' });
  const { pid } = daemon.ready;
  const soft = execFileSync('prlimit', ['--pid', `${pid}`, '--nofile', '--output=SOFT', '--noheadings'], {
    encoding: 'utf8',
  });
  const limit = (files: number | string) => execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${files}:`]);
  const count = () => readdirSync(`/proc/${pid}/fd`).length;
  /** What connections and threads of before have open still closes. */
  let before = -1;
  await until('nothing is closed any more', () => {
    const settled = before === count();
    before = count();
    return settled;
  });
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let first = 0;
  while (open.has(first)) first += 1;
  // One more, which the client's connection is.
  limit(first + 1);
  const answer = await scene.get(path);
  limit(soft.trim());
  t.notOk(answer.status === 200 && answer.complete && !isWhole(answer, archive.file('large')));
  t.ok(existsSync(kept));
  mirror.forget();
  await mirror.down();
  const again = await scene.get(path);
  t.ok(isWhole(again, archive.file('large')), `${again.status}`);
  await mirror.up();
  t.equal(again.headers['x-debtorrent-source'], 'cache');
});
