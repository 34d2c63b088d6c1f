/** Archives as apt-ftparchive makes them by hand, flat or not, and what is odd about them. */
import t from 'tap';
import { skipWithoutApt } from '../support/process.ts';
import { downloaded, hashesOf, Scene } from '../support/scene.ts';

t.setTimeout(240_000);
const skip = skipWithoutApt;

/** `apt-ftparchive release . > Release` finds the file that it is writing. */
const listsItself = (text: string): string => text.replace('SHA256:\n', `SHA256:\n ${'da'.repeat(32)} 38 Release\n`);

for (const flat of [true, false]) {
  t.test(
    `a Release that lists a Release, ${flat ? 'flat' : 'in dists'}: it is updated all the same`,
    { skip },
    async (t) => {
      const scene = await Scene.start(t, {
        archive: { flat, byHash: false, signing: 'detached' },
        state: { add: [{ name: 'foo' }], mangleRelease: listsItself },
      });
      const apt = scene.apt('prefix', flat ? { suite: './' } : {});
      for (const version of ['2', '3']) {
        const updated = await apt.update();
        t.equal(updated.code, 0, updated.output);
        t.same(downloaded(await apt.download('foo')), hashesOf(scene.archive, 'foo'));
        scene.archive.publish({ add: [{ name: 'foo', version }], mangleRelease: listsItself });
      }
    },
  );
}
