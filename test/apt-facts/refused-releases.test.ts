/** Releases that the daemon does not adopt and some client takes: its files go through unverified until the next. */
import { utimesSync } from 'node:fs';
import { join } from 'node:path';

import t, { type Test } from 'tap';
import { freeLowPort } from '../../scripts/support/scope.ts';
import { Archive, type ArchiveOptions, type PublishOptions } from '../support/archive.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { downloaded, hashesOf, Scene } from '../support/scene.ts';

t.setTimeout(600_000);

const DAY = 86_400_000;
const hello = (variant: string) => ({ name: 'hello', size: 2000, variant });
const first: PublishOptions = { add: [hello('one')], date: new Date(Date.now() - 10 * DAY) };

interface Case {
  readonly what: string;
  readonly code: string;
  readonly second: PublishOptions;
  /** Of the client, in the brackets of sources.list. */
  readonly attributes?: string;
  readonly conf?: readonly string[];
  readonly archive?: Partial<ArchiveOptions>;
}

const BOTH = 'signed-by=OWN,OTHER';
const CASES: readonly Case[] = [
  { what: 'by a key of the client’s own', code: 'UNKNOWN_KEY', second: { signing: 'unknown' }, attributes: BOTH },
  {
    what: 'by a key of the client’s own, flat',
    code: 'UNKNOWN_KEY',
    second: { signing: 'unknown' },
    attributes: BOTH,
    archive: { flat: true },
  },
  { what: 'without a signature', code: '', second: { signing: 'none' }, attributes: 'trusted=yes' },
  { what: 'with a wrong signature', code: 'SIGNATURE_BAD', second: { signing: 'bad' }, attributes: 'trusted=yes' },
  {
    what: 'past its Valid-Until',
    code: 'EXPIRED',
    second: { validUntil: new Date(Date.now() - DAY) },
    conf: ['Acquire::Check-Valid-Until "false";'],
  },
  {
    what: 'with a field given twice',
    code: 'MALFORMED',
    second: { mangleRelease: (text) => `ZZ: 1\nzz: 2\n${text}` },
  },
  { what: 'older than the one before', code: 'OLDER', second: { date: new Date(Date.now() - 20 * DAY) } },
];

/** How the daemon names the content: by its hash, when an index says what it is. */
const isVerified = (scene: Scene, archive: Archive, path: string) => async (): Promise<boolean> =>
  (await scene.daemon.get(scene.mirror.host, archive.url(path))).headers['etag'] ===
  `"${archive.file('hello').sha256}"`;

t.test('a Release that is refused', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state: first });
  const { keys } = scene;

  /** An archive of which the daemon knows the first state, with the package in memory. */
  async function adopted(test: Test, options: Partial<ArchiveOptions> = {}): Promise<Archive> {
    const base = `archive${test.name.replaceAll(/\W/g, '')}`;
    const { root } = scene.archive;
    const archive = new Archive({ keys, seed: test.name, root, base, byHash: false, ...options }).publish(first);
    const updated = await client(archive, {}).update();
    test.equal(updated.code, 0, updated.output);
    const { path } = archive.file('hello');
    await until('the package is known', isVerified(scene, archive, path));
    return archive;
  }

  function client(archive: Archive, { attributes = 'signed-by=OWN', conf = [] }: Partial<Case>) {
    const suite = archive.metaPath('') === '' ? './' : `${archive.suite} main`;
    const keyed = attributes.replace('OWN', keys.keyring).replace('OTHER', keys.otherKeyring);
    const uri = `${scene.daemon.url}/${scene.mirror.host}${archive.url('').replace(/\/$/, '')}`;
    return scene.apt('prefix', { archive, sourcesList: [`deb [${keyed}] ${uri} ${suite}`], conf });
  }

  for (const each of CASES) {
    t.test(each.what, async (t) => {
      const archive = await adopted(t, each.archive);
      archive.publish({ add: [hello('two')], ...each.second });
      const apt = client(archive, each);
      const updated = await apt.update();
      t.equal(updated.code, 0, updated.output);
      const got = await apt.download('hello');
      t.same(downloaded(got), hashesOf(archive, 'hello'), got.output);
      await until('the log says why', () => scene.daemon.lines.some((line) => line.includes(each.code)));

      archive.publish({ add: [hello('three')], date: new Date(Date.now() - 5 * DAY) });
      const next = client(archive, {});
      const renewed = await next.update();
      t.equal(renewed.code, 0, renewed.output);
      t.same(downloaded(await next.download('hello')), hashesOf(archive, 'hello'));
      await until('it is verified again', isVerified(scene, archive, archive.file('hello').path));
    });
  }

  t.test('what is no signed message: no client takes it, and the last one stays in force', async (t) => {
    const archive = await adopted(t);
    const { path, sha256 } = archive.file('hello');
    archive.publish({ add: [hello('two')], signing: 'bad' });
    archive.write(archive.metaPath('InRelease'), '<html>log in</html>\n');
    t.not((await client(archive, { attributes: BOTH }).update()).code, 0);
    const answer = await scene.daemon.get(scene.mirror.host, archive.url(path));
    t.match(answer, { status: 200, headers: { etag: `"${sha256}"` } });
  });

  t.test('without any signature, and a package built anew under its name: No-Cache gets the new one', async (t) => {
    const base = 'rebuilt';
    const { root } = scene.archive;
    const archive = new Archive({ keys, seed: base, root, base, flat: true, signing: 'none' }).publish(first);
    const { path } = archive.file('hello');
    const old = new Date(Date.now() - 100 * DAY);
    utimesSync(join(root, base, path), old, old);
    const attributes = 'trusted=yes';
    const before = client(archive, { attributes });
    t.equal((await before.update()).code, 0);
    t.same(downloaded(await before.download('hello')), hashesOf(archive, 'hello'));

    archive.publish({ add: [hello('another')], signing: 'none' });
    const after = client(archive, { attributes, conf: ['Acquire::http::No-Cache "true";'] });
    t.equal((await after.update()).code, 0);
    const got = await after.download('hello');
    t.same(downloaded(got), hashesOf(archive, 'hello'), got.output);
    t.equal((await before.update()).code, 0);
    t.same(downloaded(await before.download('hello')), hashesOf(archive, 'hello'), 'and all others have it');
  });
});

for (const [what, signing] of [
  ['by a key of the client’s own', 'unknown'],
  ['without a signature', 'none'],
] as const) {
  t.test(`a Release ${what}: the daemon goes by it after a restart, too`, { skip: skipWithoutApt }, async (t) => {
    const listen = `127.0.0.1:${await freeLowPort()}`;
    const scene = await Scene.start(t, { archive: { byHash: false }, state: first, daemon: { listen } });
    const { archive, daemon, keys } = scene;
    await scene.adopt();
    const { path } = archive.file('hello');
    await until('the package is known', isVerified(scene, archive, path));
    archive.publish({ add: [hello('two')], signing });
    const trust = signing === 'none' ? 'trusted=yes' : `signed-by=${keys.otherKeyring}`;
    const uri = `${daemon.url}/${scene.mirror.host}/debian`;
    const apt = scene.apt('prefix', { sourcesList: [`deb [${trust}] ${uri} trixie main`] });
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    const refusals = () => daemon.lines.filter((line) => /rejected/i.test(line)).length;
    const expected = signing === 'unknown' ? 1 : 0;
    await until('it is judged', () => refusals() >= expected);
    await daemon.stop();
    t.equal(refusals(), expected, 'the log says it once');
    await daemon.start(listen);
    const got = await apt.download('hello');
    t.same(downloaded(got), hashesOf(archive, 'hello'), got.output);
  });
}

t.test(
  'same name, new content: a package that no index vouches for is asked for anew',
  { skip: skipWithoutApt },
  async (t) => {
    const scene = await Scene.start(t, { archive: { byHash: false, signing: 'none' }, state: first });
    const { archive, daemon, mirror } = scene;
    const apt = scene.apt('prefix', {
      sourcesList: [`deb [trusted=yes] ${daemon.url}/${mirror.host}/debian trixie main`],
    });
    for (const variant of ['one', 'two']) {
      archive.publish({ add: [hello(variant)], date: new Date(Date.now() - (variant === 'one' ? 20 : 10) * DAY) });
      const updated = await apt.update();
      t.equal(updated.code, 0, updated.output);
      // while the one before is still being put into the cache it is joined
      await until('it is downloaded', async () => {
        const got = downloaded(await apt.download('hello'));
        return got.join() === hashesOf(archive, 'hello').join();
      });
    }
  },
);
