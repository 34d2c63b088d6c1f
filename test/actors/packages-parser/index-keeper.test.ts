import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/core/clock.ts';
import { DebtorrentError } from '../../../src/core/errors.ts';
import { Archive, type ArchiveOptions, type PublishOptions } from '../../support/archive.ts';
import { makeKeys } from '../../support/keys.ts';
import { skipWithout, until } from '../../support/process.ts';
import { ParserScene } from './parser-scene.ts';

const skip = skipWithout('gpg', 'gpgv', 'xz', 'bzip2', 'zstd');
const PACKAGES = 'main/binary-amd64/Packages';

t.test('indexes', { skip }, async (t) => {
  const keys = makeKeys();
  t.teardown(() => keys.close());

  async function scene(test: Tap, options: Partial<ArchiveOptions> = {}, publish: PublishOptions = {}) {
    const archive = new Archive({ keys, seed: test.name, ...options });
    archive.publish({
      add: [{ name: 'hello' }, { name: 'doc', architecture: 'all' }, { name: 'extra', component: 'contrib' }],
      sources: [{ name: 'hello' }],
      ...publish,
    });
    const made = await new ParserScene(archive).start();
    test.teardown(async () => {
      await made.close();
      archive.close();
    });
    await made.release();
    return made;
  }

  /** Path below the archive's base of a package of the present state. */
  const pool = (s: ParserScene, name: string): string => {
    const found = s.archive.packages.find((p) => p.spec.name === name);
    if (!found) throw new Error(`no ${name}`);
    return found.file.path;
  };

  t.test('by-hash: the index that a client asks for is loaded, each package with its SHA-256', async (t) => {
    const s = await scene(t);
    await s.use(s.byHash(`${PACKAGES}.xz`));
    for (const item of s.archive.packages.filter((p) => p.component === 'main')) {
      t.match(s.view.catalogue.lookup(s.url(item.file.path)), {
        kind: 'package',
        sha256: item.file.sha256,
        size: item.file.size,
        stale: false,
      });
    }
    t.equal(s.size(pool(s, 'extra')), undefined, 'other components are not in use');
    t.match(s.view.catalogue.torrents(), [{ name: 'DebTorrent Test trixie main amd64', files: 2, public: true }]);
    t.strictSame(s.fetched, [new URL(s.byHash(`${PACKAGES}.xz`)).pathname], 'the same file as the client fetches');
  });

  t.test('each compression, and the plain index', async (t) => {
    for (const compression of ['none', 'gz', 'xz', 'bz2', 'zst'] as const) {
      const s = await scene(t, { compressions: [compression] });
      await s.use(s.meta(compression === 'none' ? PACKAGES : `${PACKAGES}.${compression}`));
      t.ok(s.size(pool(s, 'hello')), compression);
      t.equal(s.fetched.length, 1);
    }
  });

  t.test('Sources is an index with a torrent of its own', async (t) => {
    const s = await scene(t);
    await s.use(s.meta('main/source/Sources.xz'));
    for (const file of s.archive.sources.flatMap((source) => source.files)) {
      t.match(s.view.catalogue.lookup(s.url(file.path)), { kind: 'source', sha256: file.sha256 });
    }
    t.match(s.view.catalogue.torrents(), [{ name: 'DebTorrent Test trixie main source' }]);
  });

  t.test('pdiffs: a client that fetches only diffs has the index loaded all the same', async (t) => {
    const s = await scene(t, { pdiffs: true });
    await s.use(s.meta(`${PACKAGES}.diff/Index`));
    t.ok(s.size(pool(s, 'hello')));
    s.archive.publish({ add: [{ name: 'second' }] });
    await s.release();
    await s.loaded();
    t.ok(s.size(pool(s, 'second')), 'and each new Release brings the new index');
  });

  t.test('pdiffs by hash count as use too', async (t) => {
    const s = await scene(t, { pdiffs: true });
    await s.use(s.byHash(`${PACKAGES}.diff/Index`));
    t.ok(s.size(pool(s, 'hello')));
  });

  t.test('304: what a client has already is loaded, of all components for this architecture', async (t) => {
    const s = await scene(t);
    s.confirmed();
    await s.loaded();
    t.ok(s.size(pool(s, 'hello')));
    t.ok(s.size(pool(s, 'extra')));
    t.strictSame(
      s.view.catalogue.archives()[0]?.indexes.map((i) => i.name),
      ['main/binary-amd64/Packages', 'contrib/binary-amd64/Packages'],
    );
  });

  t.test('304 for a Release that is not known: it is looked at, and the mirror not asked for it again', async (t) => {
    const s = await scene(t);
    await s.stop();
    const fresh = await new ParserScene(s.archive).start();
    t.teardown(() => fresh.close());
    fresh.confirmed();
    await fresh.loaded();
    t.ok(fresh.size(pool(fresh, 'hello')));
    t.notOk(fresh.fetched.some((path) => path.endsWith('Release')));
  });

  t.test('304 for a Release that was refused: the mirror is not asked for its signature', async (t) => {
    const archive = new Archive({ keys, seed: 'refused' }).publish({ add: [{ name: 'hello' }], signing: 'unknown' });
    const s = await new ParserScene(archive).start();
    t.teardown(() => s.close().then(() => archive.close()));
    rmSync(s.file(archive.metaPath('InRelease')));
    t.match(await s.release(), { adopted: false, code: 'SIGNATURE_UNKNOWN_KEY' });
    s.confirmed();
    archive.publish({ signing: 'detached' });
    // Releases of one archive are looked at one after the other
    t.match(await s.release(), { adopted: true });
    t.strictSame(s.fetched, []);
  });

  t.test('304 when indexes are in use: those, and no others', async (t) => {
    const s = await scene(t);
    await s.use(s.meta(`${PACKAGES}.xz`));
    s.confirmed();
    await s.loaded();
    t.equal(s.view.catalogue.archives()[0]?.indexes.length, 1);
    t.equal(s.fetched.length, 1);
  });

  t.test('an index that is asked for before its Release is known is loaded when that comes', async (t) => {
    const archive = new Archive({ keys, seed: 'early' }).publish({ add: [{ name: 'hello' }] });
    const s = await new ParserScene(archive).start();
    t.teardown(async () => {
      await s.close();
      archive.close();
    });
    await s.parser.ask('indexUsed', s.byHash(`${PACKAGES}.xz`));
    await s.parser.ask('indexUsed', s.url('pool/main/h/hello/hello_1_amd64.deb'));
    await s.release();
    await s.loaded();
    t.ok(s.size(pool(s, 'hello')));
  });

  t.test('flat repositories', async (t) => {
    const s = await scene(t, { flat: true, base: 'flat' });
    await s.use(s.meta('Packages.xz'));
    t.ok(s.size(pool(s, 'hello').replace(/^\.\//, '')));
    t.match(s.view.catalogue.torrents(), [{ name: 'DebTorrent Test trixie' }]);
  });

  t.test('same name, new content: the new Release brings the new index, in one step', async (t) => {
    const s = await scene(t);
    await s.use(s.meta(`${PACKAGES}.xz`));
    const path = pool(s, 'hello');
    const before = s.view.catalogue.lookup(s.url(path));
    s.archive.publish({ add: [{ name: 'hello', variant: 'other', size: 5000 }] });
    s.instead.set(new URL(s.byHash(`${PACKAGES}.xz`)).pathname, new DebtorrentError('MIRROR_TIMEOUT', 'slow'));
    await s.release();
    await s.loaded();
    t.match(s.view.catalogue.lookup(s.url(path)), { sha256: before?.sha256, stale: true }, 'until then it is stale');
    s.instead.clear();
    await s.use(s.meta(`${PACKAGES}.xz`));
    const item = s.archive.packages.find((p) => p.spec.name === 'hello');
    t.match(s.view.catalogue.lookup(s.url(path)), { sha256: item?.file.sha256, stale: false });
  });

  t.test('an index whose content stays is not loaded again', async (t) => {
    const s = await scene(t);
    await s.use(s.meta(`${PACKAGES}.xz`));
    s.archive.publish({ add: [{ name: 'another', component: 'contrib' }] });
    t.match(await s.release(), { changed: true });
    await s.loaded();
    t.equal(s.fetched.length, 1);
    t.equal(s.view.catalogue.lookup(s.url(pool(s, 'hello')))?.stale, false);
  });

  t.test('an index without by-hash is fetched by its name', async (t) => {
    const s = await scene(t, { byHash: false });
    await s.use(s.meta(`${PACKAGES}.xz`));
    t.strictSame(s.fetched, [`/debian/dists/trixie/${PACKAGES}.xz`]);
    t.ok(s.size(pool(s, 'hello')));
  });

  t.test('an index that does not match its Release is not believed', async (t) => {
    const s = await scene(t);
    const lie = join(s.dir, 'lie');
    const path = s.byHash(`${PACKAGES}.xz`);
    writeFileSync(lie, Buffer.alloc(s.archive.read(s.archive.metaPath(`${PACKAGES}.xz`)).length, 'lie'));
    s.instead.set(new URL(path).pathname, lie);
    await s.use(path);
    t.match(s.view.catalogue.archives()[0]?.indexes, [{ status: 'failed', error: /HASH_MISMATCH|INDEX_MALFORMED/ }]);
    t.equal(s.size(pool(s, 'hello')), undefined);
    s.instead.clear();
    await s.use(path);
    t.ok(s.size(pool(s, 'hello')), 'and asked for again once the mirror is right');
  });

  t.test('well-signed nonsense is refused: junk, an index that lies about its size', async (t) => {
    const junk = await scene(t, {}, { mangleIndex: (name, text) => (name === PACKAGES ? 'x'.repeat(20_000) : text) });
    await junk.use(junk.meta(`${PACKAGES}.xz`));
    t.match(junk.view.catalogue.archives()[0]?.indexes, [{ status: 'failed', error: /INDEX_MALFORMED/ }]);
    await junk.use(junk.meta('contrib/binary-amd64/Packages.xz'));
    t.ok(junk.size(pool(junk, 'extra')), 'other indexes of that Release are loaded');
  });

  t.test('100 MB of junk, well signed and well compressed, is refused', async (t) => {
    const text = 'x'.repeat(100 * 1024 * 1024);
    const mangleIndex = (name: string, plain: string): string => (name === PACKAGES ? text : plain);
    const s = await scene(t, { compressions: ['xz'], architectures: ['amd64'], components: ['main'] }, { mangleIndex });
    await s.use(s.meta(`${PACKAGES}.xz`));
    t.match(s.view.catalogue.archives()[0]?.indexes, [{ status: 'failed', error: /INDEX_MALFORMED/ }]);
  });

  t.test('entries with .., absurd sizes or duplicate fields are left out', async (t) => {
    const mangleIndex = (name: string, text: string): string =>
      name !== PACKAGES
        ? text
        : text.replace(/Filename: (.*hello.*)/, 'Filename: ../../$1').replace(/Size: \d+\nMD5/, 'Size: 1e9\nMD5') +
          text.replace('Filename: ', 'Filename: twice\nFilename: ').replaceAll('pool/', 'pool2/');
    const s = await scene(t, {}, { mangleIndex });
    await s.use(s.meta(`${PACKAGES}.xz`));
    const [index] = s.view.catalogue.archives()[0]?.indexes ?? [];
    t.match(index, { status: 'loaded' });
    t.ok((index?.segment?.skipped ?? 0) >= 2);
    t.equal(s.size(pool(s, 'hello')), undefined);
  });

  t.test('a mirror that is down: the fault is told, and it is tried again by itself', async (t) => {
    const timers: (() => void)[] = [];
    const clock = {
      ...systemClock,
      setTimeout(callback: () => void) {
        timers.push(callback);
        return { clear: () => undefined };
      },
    };
    const s = await scene(t);
    await s.restart({ clock });
    s.instead.set(new URL(s.byHash(`${PACKAGES}.xz`)).pathname, new DebtorrentError('MIRROR_UNREACHABLE', 'down'));
    await s.use(s.meta(`${PACKAGES}.xz`));
    t.match(s.view.catalogue.archives()[0]?.indexes, [{ status: 'failed', error: /MIRROR_UNREACHABLE/ }]);
    s.instead.clear();
    await until('a retry is planned', () => timers.length > 0);
    for (const fire of timers) fire();
    await until('it is loaded', () => s.size(pool(s, 'hello')) !== undefined);
  });
});

type Tap = Test;
