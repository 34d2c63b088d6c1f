/** A disk that fails in places: parts of a cached file that cannot be read any more, a file that cannot be flushed. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FailingDisk } from '../support/failing-disk.ts';
import { filesBelow } from '../support/files.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { isWhole, Scene } from '../support/scene.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt;
const SIZES = { medium: 200_000, large: 6_000_000 };
const NAMES = Object.keys(SIZES);

async function onFailingDisk(t: Test) {
  const disk = new FailingDisk(join(t.testdir(), 'faults'));
  const add = Object.entries(SIZES).map(([name, size]) => ({ name, size }));
  const scene = await Scene.start(t, { state: { add }, daemon: { env: disk.env } });
  await scene.adopt();
  const cached = async (name: string) => {
    const answer = await scene.get(scene.archive.file(name).path);
    return isWhole(answer, scene.archive.file(name)) && answer.headers['x-debtorrent-source'] === 'cache';
  };
  const idle = () => until('nothing is under way', async () => (await scene.daemon.status()).transfers.length === 0);
  return { scene, disk, cached, idle };
}

t.test('a cached file that cannot be read any more comes from the mirror, and is kept anew', { skip }, async (t) => {
  const { scene, disk, cached } = await onFailingDisk(t);
  const { archive, daemon, mirror } = scene;
  for (const name of NAMES) await until(`${name} is kept`, () => cached(name));
  // all of it is on the disk then, and known to be right
  t.equal((await daemon.stop()).code, 0);
  await daemon.start();
  for (const name of NAMES) {
    const { path, sha256 } = archive.file(name);
    const inode = () => statSync(join(daemon.cacheDir, 'files', sha256.slice(0, 2), sha256)).ino;
    const old = inode();
    const told = () => daemon.logged('passing by the store').length;
    const before = told();
    disk.fail(['read'], { inode: old });
    const answer = await scene.get(path);
    t.ok(isWhole(answer, archive.file(name)), `${name}: ${answer.status} ${answer.headers['x-debtorrent-error']}`);
    await until('it is said', () => told() > before);
    t.equal(told(), before + 1, 'in one line');
    await until(`${name} is replaced`, async () => {
      t.ok(isWhole(await scene.get(path), archive.file(name)), name);
      return inode() !== old;
    });
    disk.mend();
    mirror.forget();
    t.ok(await cached(name));
    t.equal(mirror.bytes(archive.url(path)), 0);
  }
  t.same(daemon.logged('"INTERNAL"'), []);
});

t.test('what could not be flushed is fetched again: its bytes may be in memory only', { skip }, async (t) => {
  const { scene, disk, cached, idle } = await onFailingDisk(t);
  const { archive, daemon, mirror } = scene;
  disk.fail(['fsync'], { path: 'partial' });
  const file = archive.file('large');
  t.ok(isWhole(await scene.get(file.path), file));
  await until('it was to be kept', () => daemon.logged('a file could not be kept').length > 0);
  await idle();
  await until('nothing of it is left', () => filesBelow(join(daemon.cacheDir, 'partial')).length === 0);
  disk.mend();
  mirror.forget();
  await until('it is kept', () => cached('large'));
  t.ok(mirror.bytes(archive.url(file.path)) >= file.size);
});
