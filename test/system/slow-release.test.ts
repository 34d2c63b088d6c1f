/** A mirror so slow that a new Release goes to APT as it comes, before anybody here has looked at it. */
import t from 'tap';

import { skipWithoutApt, until } from '../support/process.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

t.setTimeout(600_000);

t.test('APT gets what a Release lists that took long, by names alone', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, {
    archive: { byHash: false },
    state: { add: [{ name: 'old', size: 10_000 }] },
  });
  const { archive, daemon, mirror } = scene;
  const apt = scene.apt('prefix');
  t.equal((await apt.update()).code, 0);
  await scene.untilTorrents(1);
  archive.publish({ add: [{ name: 'new', size: 20_000 }] });
  // Some 4,700 bytes, for which 20 s are waited.
  mirror.rule(/InRelease$/, { rate: 200 });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  await until('the Release is looked at all the same', () => daemon.logged('Release adopted').length === 2);
  const got = await apt.download('old', 'new');
  t.same(downloaded(got), hashesOf(archive, 'old', 'new'), got.output);
});
