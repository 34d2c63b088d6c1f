/** A daemon that starts while `debtorrent seed` is at work, as it does when its package is upgraded. */
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { spawnMain } from '../../support/daemon.ts';
import { until } from '../../support/process.ts';
import { isWhole, Scene } from '../../support/scene.ts';

t.setTimeout(600_000);

const names = Array.from({ length: 8 }, (_, n) => `pkg${n}`);

/** A pool that is copied by a seed which stands still in the middle: `done` lets it go on, and has what it said. */
async function halfWay(t: Test) {
  const scene = await Scene.start(t, { state: { add: names.map((name) => ({ name, size: 2_000_000 })) } });
  const { archive, daemon } = scene;
  await scene.adopt();
  // what anybody can write to is copied
  for (const { file } of archive.packages) chmodSync(join(archive.root, 'debian', file.path), 0o666);
  await daemon.stop();
  const child = spawnMain(['seed', '--cache-dir', daemon.cacheDir, join(archive.root, 'debian/pool')]);
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const closed = once(child, 'close');
  const partial = join(daemon.cacheDir, 'partial');
  const begun = () => readdirSync(partial).filter((name) => name.startsWith('seed-'));
  const stopped = () => readFileSync(`/proc/${child.pid}/stat`, 'utf8').includes(') T ');
  do {
    child.kill('SIGCONT');
    while (begun().length === 0) await new Promise(setImmediate);
    child.kill('SIGSTOP');
    await until('it stands still', stopped);
  } while (begun().length === 0);
  return {
    scene,
    begun,
    partial,
    async done() {
      child.kill('SIGCONT');
      const [code] = (await closed) as [number];
      return { code, output };
    },
  };
}

t.test('all is taken', async (t) => {
  const { scene, begun, done } = await halfWay(t);
  const { archive, daemon, mirror } = scene;
  const before = begun();
  await daemon.start();
  t.same(begun(), before, 'what is being copied is no leftover');
  const { code, output } = await done();
  t.equal(code, 0, output);
  t.match(output, `took ${names.length} files`);
  await mirror.down();
  for (const name of names) t.ok(isWhole(await scene.get(archive.file(name).path), archive.file(name)), name);
});

t.test('what another machine or container takes for leftovers is named, and the rest is taken', async (t) => {
  const { scene, begun, partial, done } = await halfWay(t);
  for (const name of begun()) rmSync(join(partial, name));
  const { output } = await done();
  t.match(output, /took \d+ files[^]*changed meanwhile: \d+ file/);
  await scene.daemon.start();
  t.same(readdirSync(partial), []);
});
