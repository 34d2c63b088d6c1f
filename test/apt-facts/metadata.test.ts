import t from 'tap';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { skipWithoutApt, until } from '../support/process.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { sha256 } from '../support/random.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt;
const names = Array.from({ length: 40 }, (_, n) => `pkg${n}`);
const state = { add: names.map((name) => ({ name, size: 1000 })) };
const INDEX = 'main/binary-amd64/Packages.xz';

/** Bytes of files in the torrent of main, amd64: what the daemon knows of the current index. */
const torrentFiles = async (scene: Scene): Promise<number> =>
  Math.max(...(await scene.daemon.status()).torrents.map(({ files }) => files), 0);

/** The daemon refuses an altered package, because it knows from the index what it should be. */
async function refusesAltered(scene: Scene, name: string): Promise<boolean> {
  const { path, size } = scene.archive.file(name);
  const stop = scene.mirror.rule(scene.archive.url(path), { alterAt: size - 100 });
  try {
    const answer = await scene.get(path);
    return !(answer.status === 200 && answer.body.length >= size);
  } finally {
    stop();
  }
}

t.test('by-hash: an index asked for by its hash starts a torrent and is cached for good', { skip }, async (t) => {
  const scene = await Scene.start(t, { state });
  const apt = scene.apt('prefix');
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  const path = scene.archive.byHashPath(INDEX);
  t.ok(scene.mirror.requests(/by-hash/).length > 0, 'the mirror was asked by hash');
  await until('there is a torrent of 40 files', async () => (await torrentFiles(scene)) === 40);

  const { size } = scene.archive.file('pkg1');
  t.ok(size > 0);
  const content = scene.archive.read(path);
  scene.archive.publish({ add: [{ name: 'later' }] });
  rmSync(join(scene.archive.root, scene.archive.url(path)));
  scene.mirror.forget();
  const again = await scene.get(path);
  t.ok(isWhole(again, { size: content.length, sha256: sha256(content) }), `${again.status}`);
  t.equal(again.headers['x-debtorrent-source'], 'cache');
  t.same(scene.mirror.requests(/by-hash/), [], 'the mirror was not asked again');
});

t.test(
  'by-hash: what does not have the hash of its name is not passed on as whole, and not kept',
  { skip },
  async (t) => {
    const scene = await Scene.start(t, { state });
    const path = scene.archive.byHashPath(INDEX);
    const content = scene.archive.read(path);
    const stop = scene.mirror.rule(scene.archive.url(path), { alterAt: 30 });
    const bad = await scene.get(path);
    t.notOk(bad.status === 200 && bad.complete, 'the altered index is not given as a whole file');
    stop();
    await until('the right one is served once the mirror is right', async () =>
      isWhole(await scene.get(path), { size: content.length, sha256: sha256(content) }),
    );
  },
);

t.test('pdiffs: a client that patches its own lists still has its packages verified', { skip }, async (t) => {
  const scene = await Scene.start(t, { state, archive: { pdiffs: true } });
  const apt = scene.apt('prefix');
  t.equal((await apt.update()).code, 0);
  await until('the first index is known', async () => (await torrentFiles(scene)) === 40);
  scene.archive.publish({ add: [{ name: 'new1' }, { name: 'new2' }] });
  scene.mirror.forget();
  const patched = await apt.update();
  t.equal(patched.code, 0, patched.output);
  t.match(patched.output, /pdiff/, 'the client used patches');
  await until('the daemon fetched the new index itself', async () => (await torrentFiles(scene)) === 42);
  t.ok(await refusesAltered(scene, 'new1'));
  const got = await apt.download('new1', 'new2');
  t.same(downloaded(got), hashesOf(scene.archive, 'new1', 'new2'), got.output);
});

t.test(
  'InRelease and indexes: one Release and its own indexes, even from a mirror that mixes two',
  { skip },
  async (t) => {
    const scene = await Scene.start(t, { state, archive: { byHash: false } });
    const first = await scene.apt('prefix').update();
    t.equal(first.code, 0, first.output);
    const { archive } = scene;
    const inRelease = archive.read('dists/trixie/InRelease');
    archive.publish({ add: [{ name: 'new1' }] });
    // The mirror goes on serving the old Release while its indexes are the new ones already.
    const stop = scene.mirror.rule(archive.url('dists/trixie/InRelease'), { content: inRelease, etag: '"old"' });
    const client = scene.apt('prefix');
    const mixed = await client.update();
    t.equal(mixed.code, 0, `the index that belongs to the old Release is served from the cache\n${mixed.output}`);
    t.equal((await client.download('pkg1')).code, 0);
    stop();
    const next = await client.update();
    t.equal(next.code, 0, `the new Release is adopted with its indexes\n${next.output}`);
    const got = await client.download('new1');
    t.same(downloaded(got), hashesOf(archive, 'new1'), got.output);
  },
);

t.test('staleness: dists/ is revalidated on request, and stale only when the mirror is down', { skip }, async (t) => {
  const scene = await Scene.start(t, { state });
  const { archive, mirror } = scene;
  const path = 'dists/trixie/InRelease';
  const client = scene.apt('proxy');
  t.equal((await client.update()).code, 0);
  mirror.forget();
  const fresh = scene.apt('proxy');
  t.equal((await fresh.update()).code, 0);
  const asked = mirror.requests(archive.url(path));
  t.ok(asked.length >= 1, 'the mirror was asked whether the Release is still right');
  t.equal(mirror.bytes(archive.url(path)), 0, 'and did not send it again');
  t.ok(
    asked.every(({ headers }) => headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined),
  );

  archive.publish({ add: [{ name: 'new1' }] });
  t.equal((await client.update()).code, 0);
  const got = await client.download('new1');
  t.same(downloaded(got), hashesOf(archive, 'new1'), 'a new Release is seen at once');

  await mirror.down();
  const stale = await scene.get(path);
  t.equal(stale.status, 200);
  t.equal(sha256(stale.body), sha256(archive.read(path)));
  t.match(JSON.stringify(stale.headers), /stale/i, 'a header says that it is stale');
  const offline = await scene.apt('proxy').update();
  t.equal(offline.code, 0, offline.output);
  await mirror.up();
  archive.publish({ add: [{ name: 'new2' }] });
  await until('the new Release is served after the mirror came back', async () => {
    const answer = await scene.get(path);
    return sha256(answer.body) === sha256(archive.read(path));
  });
  t.notMatch(JSON.stringify((await scene.get(path)).headers), /stale/i);
});

t.test('staleness: without a copy of its own the daemon says 503 or 504 while the mirror is down', async (t) => {
  const scene = await Scene.start(t, { state });
  await scene.mirror.down();
  const answer = await scene.get('dists/trixie/InRelease');
  t.ok([503, 504].includes(answer.status));
  t.ok(answer.headers['retry-after']);
  t.ok(answer.headers['x-debtorrent-error']);
});

t.test('304: a daemon that only relayed a 304 still verifies the packages', { skip }, async (t) => {
  const scene = await Scene.start(t, { state });
  const client = scene.apt('proxy');
  const direct = await client.update('-o', 'Acquire::http::Proxy=DIRECT');
  t.equal(direct.code, 0, direct.output);
  scene.mirror.forget();
  // The client's lists are current, so all that the daemon sees of the archive is one conditional request.
  const relayed = await client.update();
  t.equal(relayed.code, 0, relayed.output);
  t.match(relayed.output, /^Hit:/m);
  t.same(
    scene.mirror.requests(/InRelease/).filter(({ headers }) => headers['user-agent']?.startsWith('Debian APT')),
    [],
    'the client went through the daemon',
  );
  await until('the index is known', async () => (await torrentFiles(scene)) === 40);
  t.ok(await refusesAltered(scene, 'pkg5'));
  const got = await client.download('pkg5');
  t.same(downloaded(got), hashesOf(scene.archive, 'pkg5'), got.output);
});

t.test('304: If-None-Match and If-Modified-Since are answered by RFC 9110', { skip }, async (t) => {
  const scene = await Scene.start(t, { state });
  const path = 'dists/trixie/InRelease';
  const whole = await scene.get(path);
  t.equal(whole.status, 200);
  const modified = whole.headers['last-modified'];
  t.ok(modified, 'APT needs Last-Modified to ask If-Modified-Since');
  const since = await scene.get(path, [`If-Modified-Since: ${modified}`]);
  t.equal(since.status, 304);
  t.equal(since.body.length, 0);
  const etag = whole.headers['etag'];
  if (etag !== undefined) t.equal((await scene.get(path, [`If-None-Match: ${etag}`])).status, 304);
  t.equal((await scene.get(path, ['If-None-Match: "another"', `If-Modified-Since: ${modified}`])).status, 200);
  t.equal((await scene.get(path, ['If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT'])).status, 200);
  t.equal((await scene.get(path, ['If-Modified-Since: nonsense'])).status, 200);
});

t.test(
  'HEAD of an index that the Release lists and the mirror does not serve is a 404, as GET is',
  { skip },
  async (t) => {
    const scene = await Scene.start(t, { state });
    const { archive, daemon, mirror } = scene;
    await scene.adopt();
    const ask = (name: string, method = 'HEAD') =>
      daemon.request(`/${mirror.host}${archive.url(`dists/trixie/main/${name}`)}`, { method });
    t.equal((await ask('binary-amd64/Packages', 'GET')).status, 404);
    t.equal((await ask('binary-amd64/Packages')).status, 404);
    const served = await ask('binary-amd64/Packages.gz');
    const { length } = archive.read('dists/trixie/main/binary-amd64/Packages.gz');
    t.match(served, { status: 200, headers: { 'content-length': String(length), 'last-modified': / GMT$/ } });
    await mirror.down();
    const known = await ask('binary-amd64/Packages.gz');
    t.match(known, { status: 200, headers: { 'content-length': String(length) } }, 'what is known of it');
  },
);
