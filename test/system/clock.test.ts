/** The wall clock of a running daemon is set back by an hour: nothing waits for that hour to pass again. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t from 'tap';

import { until } from '../support/process.ts';
import { Scene, isWhole } from '../support/scene.ts';

t.setTimeout(600_000);

/** A module for each thread of a daemon: the clock is behind by as many milliseconds as the file says. */
function behindBy(path: string): string {
  const module = `
    import { readFileSync } from 'node:fs';
    const { now } = Date;
    let behind = 0;
    setInterval(() => { behind = Number(readFileSync(${JSON.stringify(path)}, 'utf8')); }, 20).unref();
    Date.now = () => now() - behind;`;
  return `--import=data:text/javascript,${encodeURIComponent(module)}`;
}

t.test('files that come after the clock was set back are kept', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'dt-clock-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const behind = join(directory, 'behind');
  writeFileSync(behind, '0');
  const names = ['a', 'b', 'c', 'd'];
  const scene = await Scene.start(t, {
    state: { add: names.map((name) => ({ name, size: 50_000 })) },
    daemon: { env: { NODE_OPTIONS: behindBy(behind) } },
  });
  const { archive, daemon } = scene;
  await scene.adopt();
  const get = async (name: string) => t.ok(isWhole(await scene.get(archive.file(name).path), archive.file(name)));
  const partial = () => readdirSync(join(daemon.cacheDir, 'partial'));
  await get('a');
  writeFileSync(behind, String(3_600_000));
  await until('the daemon has noticed', async () => {
    await daemon.request('/nothing');
    return Date.parse(JSON.parse(daemon.logged('"time"').at(-1) ?? '{}').time ?? '') < Date.now() - 1_800_000;
  });
  for (const name of names) await get(name);
  await until('they are flushed and have their names', () => partial().length === 0);
  t.same(daemon.logged('could not be kept'), []);
});
