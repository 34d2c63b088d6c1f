/** The APT method under real apt-get: private roots, a private methods folder, the daemon and a mirror as processes. */
import t from 'tap';
import { skipWithoutApt } from '../support/process.ts';
import { downloaded, hashesOf, Scene } from '../support/scene.ts';
import { installInterrupted } from './fixtures/interrupted.ts';

t.setTimeout(600_000);

const names = Array.from({ length: 40 }, (_, n) => `pkg${n}`);
const state = { add: names.map((name, n) => ({ name, size: 1000 + ((n * 7919) % 90_000) })) };

t.test('update and install through the method', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state });
  const apt = scene.apt('method');
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  t.notMatch(updated.output, /^(Err|Ign|W:|E:)/m, 'nothing was ignored or failed');
  const got = await apt.installDownloadOnly(...names);
  t.same(downloaded(got), hashesOf(scene.archive, ...names), got.output);
  t.match(got.output, /^Get:\d+ debtorrent:\/\/127\.0\.0\.1:\d+\//m, 'people see where files come from');
  const again = await apt.update();
  t.match(again.output, /^Hit:/m, 'a Release that has not changed is a hit');
});

t.test('a configuration that is longer than one variable can be', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state: { add: [{ name: 'one' }] } });
  const kept = Array.from({ length: 4000 }, (_, n) => `"^a-package-that-is-kept-number-${n}$";`).join(' ');
  const apt = scene.apt('method', { conf: [`APT::NeverAutoRemove { ${kept} };`, 'Acquire::ForceHash "SHA256";'] });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  t.same(downloaded(await apt.download('one')), hashesOf(scene.archive, 'one'));
});

t.test('without a daemon APT fetches from the mirror itself, with one warning', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state });
  await scene.daemon.stop();
  const apt = scene.apt('method', { daemon: 'http://127.0.0.1:9' });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  const got = await apt.installDownloadOnly(...names);
  t.same(downloaded(got), hashesOf(scene.archive, ...names), got.output);
  t.equal(got.output.match(/^W: .*no DebTorrent on/gm)?.length, 1, got.output);
});

t.test('the daemon is killed in the middle: APT gets the rest from the mirror', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state });
  await installInterrupted(t, scene, scene.apt('method'), names, (daemon) => daemon.kill9());
});

t.test(
  'what APT says of a mirror that lies, lacks a file, or may not be asked',
  { skip: skipWithoutApt },
  async (t) => {
    const scene = await Scene.start(t, { state });
    const apt = scene.apt('method', { conf: ['Acquire::Retries "1";'] });
    t.equal((await apt.update()).code, 0);
    const { archive, mirror } = scene;
    const path = (name: string): string => archive.url(archive.file(name).path);
    mirror.rule(path('pkg1'), { alterAt: 100 });
    mirror.rule(path('pkg2'), { status: 404 });
    mirror.rule(path('pkg3'), { status: 503 }, 3);
    const got = await apt.download('pkg1', 'pkg2', 'pkg3', 'pkg4');
    t.not(got.code, 0);
    t.match(got.output, /^E: Failed to fetch \S+pkg1_\S+ +Hash Sum mismatch/m, got.output);
    t.match(got.output, /^E: Failed to fetch \S+pkg2_\S+ +404 NOT_FOUND/m, got.output);
    t.same(downloaded(got), hashesOf(archive, 'pkg3', 'pkg4'), 'what may pass has passed');
    const strange = scene.apt('method', { uri: 'http://not-allowed.example/debian' });
    const refused = await strange.update();
    t.not(refused.code, 0);
    t.match(refused.output, /403 HOST_NOT_ALLOWED/, refused.output);
  },
);
