/** The APT method under real apt-get: private roots, a private methods folder, the daemon and a mirror as processes. */
import t from 'tap';
import { skipWithoutApt } from '../support/process.ts';
import { downloaded, hashesOf, Scene } from '../support/scene.ts';

t.setTimeout(120_000);

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
