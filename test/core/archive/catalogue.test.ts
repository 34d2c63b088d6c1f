import t from 'tap';

import { Catalogue } from '../../../src/core/archive/catalogue.ts';
import { adopt, id, ROOT, sha, url } from './catalogue-scene.ts';

const PACKAGES = 'main/binary-amd64/Packages';
const BY_HASH = `main/binary-amd64/by-hash/SHA256/${sha(7)}`;

t.test('a package is known by its URL', async (t) => {
  const catalogue = new Catalogue();
  adopt(catalogue, { indexes: { [PACKAGES]: { files: { 'pool/main/g/g++_1_amd64.deb': 5 } } } });
  t.strictSame(catalogue.lookup(url(`${ROOT}/pool/main/g/g++_1_amd64.deb`)), {
    sha256: sha(5),
    size: 5,
    kind: 'package',
    archive: 'ftp.us.debian.org/debian/dists/bookworm',
    torrents: [id(1)],
    alternates: [],
    stale: false,
  });
  t.equal(catalogue.lookup(url(`${ROOT.replace('http', 'https')}/pool/main/g/g++_1_amd64.deb`))?.size, 5, 'TLS or not');
  t.equal(catalogue.lookup(url(`${ROOT}/pool/main/g/other.deb`)), undefined);
  t.equal(catalogue.lookup(url('http://ftp.us.debian.org/pool/main/g/g++_1_amd64.deb')), undefined, 'another root');
  t.equal(catalogue.lookup(url(`${ROOT}/pool/main/g/g++_1_amd64.deb?x=1`)), undefined, 'a query is another resource');
});

t.test('by-hash: the hash leads to the index', async (t) => {
  const catalogue = new Catalogue();
  adopt(catalogue, { listed: { [`${PACKAGES}.xz`]: 7, [BY_HASH]: 7 }, indexes: { [PACKAGES]: {} } });
  t.match(catalogue.lookup(url(`${ROOT}/dists/bookworm/${BY_HASH}`)), {
    sha256: sha(7),
    kind: 'index',
    indexPath: `${PACKAGES}.xz`,
    torrents: [id(1)],
    alternates: [`${ROOT}/dists/bookworm/${PACKAGES}.xz`],
  });
  t.match(catalogue.lookup(url(`${ROOT}/dists/bookworm/${PACKAGES}.xz`)), {
    sha256: sha(7),
    alternates: [`${ROOT}/dists/bookworm/${BY_HASH}`],
  });
});

t.test('Translation, Contents and the like are metadata', async (t) => {
  const catalogue = new Catalogue();
  adopt(catalogue, {
    listed: { 'main/i18n/Translation-en.xz': 3 },
    indexes: { [PACKAGES]: {}, 'contrib/source/Sources': {} },
  });
  t.match(catalogue.lookup(url(`${ROOT}/dists/bookworm/main/i18n/Translation-en.xz`)), {
    kind: 'metadata',
    torrents: [id(1)],
  });
});

t.test('private archives have no torrents for peers', async (t) => {
  const catalogue = new Catalogue();
  const listed = { [`${PACKAGES}.xz`]: 7 };
  adopt(catalogue, { public: false, listed, indexes: { [PACKAGES]: { files: { 'pool/a.deb': 5 } } } });
  t.strictSame(catalogue.lookup(url(`${ROOT}/pool/a.deb`))?.torrents, []);
  t.strictSame(catalogue.lookup(url(`${ROOT}/dists/bookworm/${PACKAGES}.xz`))?.torrents, []);
  t.strictSame(catalogue.lookupSha(sha(5)), { size: 5, torrents: [], urls: [url(`${ROOT}/pool/a.deb`)] });
  t.match(catalogue.torrents(), [{ id: id(1), files: 1, bytes: 5, public: false }]);
});

t.test(
  'an index is content of its own torrent, other metadata of those near it, unless the archive is private',
  async (t) => {
    const catalogue = new Catalogue();
    const listed = { [`${PACKAGES}.xz`]: 7, [BY_HASH]: 7, 'main/i18n/Translation-en.xz': 8, README: 9 };
    adopt(catalogue, { listed, indexes: { [PACKAGES]: {}, 'contrib/source/Sources': {} } });
    t.strictSame(catalogue.lookupSha(sha(7)), {
      size: 7,
      torrents: [id(1)],
      urls: [url(`${ROOT}/dists/bookworm/${PACKAGES}.xz`)],
    });
    t.strictSame(catalogue.lookupSha(sha(8))?.torrents, [id(1)]);
    t.strictSame(catalogue.lookupSha(sha(9))?.torrents, [id(1), id(2)]);
    t.equal(catalogue.lookupSha(sha(10)), undefined);
    adopt(catalogue, { public: false, listed, indexes: { [PACKAGES]: {} } });
    t.match(catalogue.lookupSha(sha(7)), { size: 7, torrents: [] });
  },
);

t.test('the same content under other roots is an alternate', async (t) => {
  const catalogue = new Catalogue();
  adopt(catalogue, { listed: { 'main/x': 7 }, indexes: { [PACKAGES]: { files: { 'pool/a.deb': 5 } } } });
  adopt(catalogue, {
    root: 'http://ftp.de.debian.org/debian',
    listed: { 'main/x': 7 },
    indexes: {
      [PACKAGES]: { files: { 'pool/a.deb': 5 } },
      'contrib/binary-amd64/Packages': { files: { 'pool/c.deb': 5 } },
    },
  });
  t.match(catalogue.lookup(url(`${ROOT}/pool/a.deb`)), {
    torrents: [id(1), id(2)],
    alternates: ['http://ftp.de.debian.org/debian/pool/a.deb', 'http://ftp.de.debian.org/debian/pool/c.deb'],
  });
  t.ok(
    catalogue
      .lookup(url(`${ROOT}/dists/bookworm/main/x`))
      ?.alternates.includes(url('http://ftp.de.debian.org/debian/dists/bookworm/main/x')),
  );
  t.equal(catalogue.torrents().length, 2, 'and their torrents are one');
});

t.test('same name, new content: the newest index in force says what a name stands for', async (t) => {
  const catalogue = new Catalogue();
  const lists = (n: number, status: 'loaded' | 'loading' = 'loaded') => ({
    [PACKAGES]: { files: { 'pool/a.deb': n, 'pool/b.deb': 3 }, status },
  });
  const old = adopt(catalogue, { date: 1, indexes: lists(1, 'loading') });
  adopt(catalogue, { dir: `${ROOT}/dists/trixie`, date: 2, indexes: lists(2) });
  t.equal(catalogue.lookup(url(`${ROOT}/pool/a.deb`))?.size, 2);
  adopt(catalogue, { date: 1, indexes: lists(1) });
  t.equal(catalogue.lookup(url(`${ROOT}/pool/a.deb`)), undefined, 'nothing where two that are in force differ');
  t.equal(catalogue.lookup(url(`${ROOT}/pool/b.deb`))?.size, 3);
  catalogue.remove(old.key);
  t.equal(catalogue.lookup(url(`${ROOT}/pool/a.deb`))?.size, 2, 'what was removed is gone');
});

t.test('an earlier index stays, as stale, until the new one is loaded', async (t) => {
  const catalogue = new Catalogue();
  adopt(catalogue, { indexes: { [PACKAGES]: { files: { 'pool/main/a_1_amd64.deb': 1 }, status: 'loading' } } });
  const before = catalogue.generation;
  t.equal(catalogue.lookup(url(`${ROOT}/pool/main/a_1_amd64.deb`))?.stale, true);
  t.ok(catalogue.pendingFor(url(`${ROOT}/pool/main/a_1_amd64.deb`)));
  t.ok(catalogue.pendingFor(url(`${ROOT}/pool/main/new_1_all.deb`)));
  t.notOk(catalogue.pendingFor(url(`${ROOT}/pool/contrib/new_1_amd64.deb`)));
  t.notOk(catalogue.pendingFor(url(`${ROOT}/dists/bookworm/main/x`)));
  t.notOk(catalogue.pendingFor(url('http://ftp.de.debian.org/debian/pool/main/a_1_amd64.deb')));
  adopt(catalogue, { indexes: { [PACKAGES]: { files: { 'pool/main/a_1_amd64.deb': 2 } } } });
  t.match(catalogue.lookup(url(`${ROOT}/pool/main/a_1_amd64.deb`)), { size: 2, stale: false });
  t.notOk(catalogue.pendingFor(url(`${ROOT}/pool/main/a_1_amd64.deb`)));
  t.ok(catalogue.generation > before);
});

t.test('flat repositories: names are relative to the Release or to a directory above it', async (t) => {
  const catalogue = new Catalogue();
  const flat = { layout: 'flat', root: 'http://h/repo/amd64', dir: 'http://h/repo/amd64' } as const;
  adopt(catalogue, {
    ...flat,
    indexes: { Packages: { files: { 'a.deb': 1, 'amd64/b.deb': 2, 'repo/amd64/c.deb': 3 } } },
  });
  t.equal(catalogue.lookup(url('http://h/repo/amd64/a.deb'))?.size, 1);
  t.equal(catalogue.lookup(url('http://h/repo/amd64/b.deb'))?.size, 2);
  t.equal(catalogue.lookup(url('http://h/repo/amd64/c.deb'))?.size, 3);
  t.equal(catalogue.lookup(url('http://h/repo/amd64/d.deb')), undefined);
  t.strictSame(catalogue.archivesFor(url('http://h/repo/amd64/a.deb')).length, 1);
  t.strictSame(catalogue.archivesFor(url('http://h/other/a.deb')), []);
  t.equal(catalogue.lookup(url('http://h/repo/a.deb')), undefined, 'it may be of another archive, around this one');
  adopt(catalogue, { ...flat, indexes: { Packages: { status: 'loading' } } });
  t.ok(catalogue.pendingFor(url('http://h/repo/amd64/d_1_all.deb')));
  t.notOk(catalogue.pendingFor(url('http://h/repo/d_1_all.deb')), 'nor does that one wait for it');
});

t.test('sources are found too', async (t) => {
  const catalogue = new Catalogue();
  adopt(catalogue, { indexes: { 'main/source/Sources': { files: { 'pool/main/a/a_1.dsc': 1 } } } });
  t.equal(catalogue.lookup(url(`${ROOT}/pool/main/a/a_1.dsc`))?.kind, 'source');
});

t.test('a state whose segments are missing is known but finds nothing', async (t) => {
  const catalogue = new Catalogue();
  const state = adopt(new Catalogue(), { indexes: { [PACKAGES]: { files: { 'pool/a.deb': 1 } } } });
  catalogue.adopt(state, new Map());
  t.equal(catalogue.lookup(url(`${ROOT}/pool/a.deb`)), undefined);
  t.strictSame(catalogue.torrents(), []);
  t.strictSame(catalogue.archives(), [state]);
});

t.test('while clients have another Release, names are not looked up; hashes are', async (t) => {
  const catalogue = new Catalogue();
  const flat = { layout: 'flat', root: 'http://h/repo', dir: 'http://h/repo', byHash: false } as const;
  const listed = { [`${PACKAGES}.xz`]: 7, [BY_HASH]: 7 };
  const given = { listed, byHash: false, indexes: { [PACKAGES]: { files: { 'pool/a.deb': 5, 'pool/b.deb': 6 } } } };
  const { key } = adopt(catalogue, given);
  const other = adopt(catalogue, { dir: `${ROOT}/dists/sid`, indexes: { [PACKAGES]: { files: { 'pool/b.deb': 6 } } } });
  const { key: flatKey } = adopt(catalogue, {
    ...flat,
    listed: { Packages: 8 },
    indexes: { Packages: { files: { 'c.deb': 9 } } },
  });
  const of = (path: string) => catalogue.lookup(url(path))?.size;
  const before = catalogue.generation;
  catalogue.setDiverged(key, true);
  catalogue.setDiverged(flatKey, true);
  t.not(catalogue.generation, before, 'answers in memory are out of date');
  t.equal(of(`${ROOT}/dists/bookworm/${PACKAGES}.xz`), undefined);
  t.equal(of(`${ROOT}/dists/bookworm/${BY_HASH}`), 7);
  t.equal(of(`${ROOT}/pool/a.deb`), undefined);
  t.equal(catalogue.lookup(url(`${ROOT}/pool/b.deb`))?.archive, other.key, 'another suite has it too');
  catalogue.setDiverged(other.key, true);
  t.equal(of(`${ROOT}/pool/b.deb`), 6, 'its suite has by-hash');
  t.equal(of('http://h/repo/Packages'), undefined);
  t.equal(of('http://h/repo/c.deb'), undefined);
  t.equal(catalogue.lookupSha(sha(5))?.size, 5, 'content is what it is');
  adopt(catalogue, { ...given, indexes: { [PACKAGES]: { status: 'loading' } } });
  t.notOk(catalogue.pendingFor(url(`${ROOT}/pool/a.deb`)), 'nothing to wait for');
  adopt(catalogue, given);
  t.equal(of(`${ROOT}/pool/a.deb`), undefined, 'the same Release again, as after loading an index');
  catalogue.setDiverged(key, false);
  t.equal(of(`${ROOT}/pool/a.deb`), 5);
  catalogue.setDiverged(key, true);
  adopt(catalogue, { ...given, verified: sha(2) });
  t.equal(of(`${ROOT}/pool/a.deb`), 5, 'another one is adopted');
});
