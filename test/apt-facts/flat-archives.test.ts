/** Archives as apt-ftparchive makes them by hand, flat or not, and what is odd about them. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { Archive } from '../support/archive.ts';
import { buildSource } from '../support/package-spec.ts';
import { skipWithout, skipWithoutApt, until } from '../support/process.ts';
import { downloaded, hashesOf, Scene } from '../support/scene.ts';

t.setTimeout(600_000);
const skip = skipWithoutApt;
const ftparchive = skip === false ? skipWithout('apt-ftparchive') : skip;

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

t.test('a flat archive within another, with the same names: neither answers for the other', { skip }, async (t) => {
  const scene = await Scene.start(t, {
    archive: { flat: true, base: 'repo/testing' },
    state: { add: [{ name: 'foo', variant: 'testing' }] },
  });
  const { keys } = scene;
  const inner = scene.apt('prefix', { suite: './' });
  t.equal((await inner.update()).code, 0);
  t.same(downloaded(await inner.download('foo')), hashesOf(scene.archive, 'foo'));
  await scene.untilTorrents(1);
  // of a key that only its clients know, so that the daemon has nothing of its own to answer with
  const outer = new Archive({
    keys,
    seed: 'outer',
    root: scene.archive.root,
    base: 'repo',
    flat: true,
    signing: 'unknown',
  });
  outer.publish({ add: [{ name: 'foo', variant: 'stable' }] });
  const apt = scene.apt('prefix', { archive: outer, suite: './', keyring: keys.otherKeyring });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  const got = await apt.download('foo');
  t.same(downloaded(got), hashesOf(outer, 'foo'), got.output);
});

t.test('Sources as apt-ftparchive makes them, without a Directory', { skip: ftparchive }, async (t) => {
  const scene = await Scene.start(t, { archive: { flat: true }, state: { add: [{ name: 'foo' }] } });
  const { archive, keys } = scene;
  const { files } = buildSource(t.name, { name: 'src' });
  for (const { path, data } of files) archive.write(basename(path), data);
  const make = (what: string): string =>
    execFileSync('apt-ftparchive', [what, '.'], { cwd: join(archive.root, archive.base), stdio: 'pipe' }).toString();
  const sources = make('sources');
  t.notMatch(sources, /^Directory/m);
  archive.write('Sources', sources);
  for (const name of ['InRelease', 'Release', 'Release.gpg']) rmSync(join(archive.root, archive.base, name));
  archive.write('InRelease', keys.clearsign(make('release')));

  const apt = scene.apt('prefix', { suite: './', source: true });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  const got = await apt.source('src');
  t.same(downloaded(got), files.map(({ sha256 }) => sha256).toSorted(), got.output);
  for (const { path, sha256 } of files) {
    await until(
      'it is known by its hash',
      async () => (await scene.get(basename(path))).headers['etag'] === `"${sha256}"`,
    );
  }
});

for (const date of ['Sat, 17 May 2025 10:46:54 +0200', '六, 17 5月 2025 08:46:54 UTC']) {
  t.test(`a Date that APT only warns of, ${date}: packages are verified`, { skip: skipWithoutApt }, async (t) => {
    const state = {
      add: [{ name: 'foo' }],
      mangleRelease: (text: string) => text.replace(/^Date: .*/m, `Date: ${date}`),
    };
    const scene = await Scene.start(t, { archive: { flat: true }, state });
    const apt = scene.apt('prefix', { suite: './' });
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    t.same(downloaded(await apt.download('foo')), hashesOf(scene.archive, 'foo'));
    const { path, sha256 } = scene.archive.file('foo');
    await until('it is known by its hash', async () => (await scene.get(path)).headers['etag'] === `"${sha256}"`);
  });
}
