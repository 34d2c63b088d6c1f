/** Caches on file systems that differ from what a disk usually has: without a size, in two pieces, or partly another user's. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MAIN } from '../support/daemon.ts';
import { run, until } from '../support/process.ts';
import { isWhole, Scene } from '../support/scene.ts';
import { skipWithoutBindfs, skipWithoutMount } from '../support/tmpfs.ts';

t.setTimeout(600_000);

const skip = skipWithoutMount();

/** A directory to mount on, gone at the end with what is mounted there. */
function mountPoint(t: Test, path = mkdtempSync(join(tmpdir(), 'dt-odd-'))): string {
  t.teardown(() => {
    execFileSync('umount', ['--lazy', path]);
    rmSync(path, { recursive: true });
  });
  return path;
}

t.test('a file system that says that it has no blocks at all has room', { skip }, async (t) => {
  const disk = mountPoint(t);
  // 0 is no limit; ramfs and file systems of FUSE that do not answer statfs say the same
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=0,nr_inodes=0', 'tmpfs', disk]);
  const scene = await Scene.start(t, {
    state: { add: [{ name: 'kept', size: 300_000 }, { name: 'seeded' }] },
    daemon: { cacheDir: join(disk, 'cache') },
  });
  const { archive, daemon, mirror } = scene;
  await scene.adopt();
  t.ok(isWhole(await scene.get(archive.file('kept').path), archive.file('kept')));
  await until('it is kept', async () => (await daemon.status()).transfers.length === 0);
  const pool = join(archive.root, 'debian', archive.file('seeded').path);
  const seeded = await run(process.execPath, [MAIN, 'seed', '--cache-dir', daemon.cacheDir, pool]);
  t.match(seeded.stdout, 'took 1 file (0 linked, 1 copied)');
  await mirror.down();
  for (const name of ['kept', 'seeded']) {
    const answer = await scene.get(archive.file(name).path);
    t.match(answer.headers, { 'x-debtorrent-source': 'cache' }, name);
    t.ok(isWhole(answer, archive.file(name)));
  }
  t.same(daemon.logged('passing by the store'), []);
});

t.test('a cache of which a part is mounted from elsewhere is refused in one line', { skip }, async (t) => {
  const [cacheDir, other] = ['dt-parts-', 'dt-other-'].map((name) => mkdtempSync(join(tmpdir(), name))) as [
    string,
    string,
  ];
  t.teardown(() => [cacheDir, other].forEach((path) => rmSync(path, { recursive: true })));
  const files = join(cacheDir, 'files');
  mkdirSync(files);
  mountPoint(t, files);
  execFileSync('mount', ['--bind', other, files]);
  const starts = Scene.start(t, { state: { add: [] }, daemon: { cacheDir } });
  await t.rejects(
    starts,
    /ended with 1 [^]*\ndebtorrent: cache-dir \S+: \S+files and \S+partial are not on one file system/,
  );
  t.same(readdirSync(join(cacheDir, 'partial')), []);
  t.same(readdirSync(other), []);
});

// as vfat, or a share of another system: who may do what was said when it was mounted
t.test('a file system without permissions works, and is told of', { skip: skipWithoutBindfs() }, async (t) => {
  const below = mkdtempSync(join(tmpdir(), 'dt-below-'));
  t.teardown(() => rmSync(below, { recursive: true }));
  for (const [perms, warning] of [
    ['a=rwX', 'every user of this machine can alter the cache'],
    ['u=rwX,go=rX', 'the file system of cache-dir has no permissions'],
  ] as const) {
    const disk = mountPoint(t);
    execFileSync('bindfs', ['--chmod-ignore', '--chown-ignore', `--perms=${perms}`, below, disk]);
    const cacheDir = join(disk, 'cache');
    const scene = await Scene.start(t, { state: { add: [{ name: 'kept', size: 300_000 }] }, daemon: { cacheDir } });
    const { archive, daemon, mirror } = scene;
    await scene.adopt();
    t.ok(isWhole(await scene.get(archive.file('kept').path), archive.file('kept')));
    await until('it is kept', async () => (await daemon.status()).transfers.length === 0);
    await until('it is logged', () => daemon.logged(warning).length > 0);
    t.equal(daemon.logged(warning).length, 1, warning);
    await daemon.stop();
    await daemon.start();
    await mirror.down();
    const again = await scene.get(archive.file('kept').path);
    t.match(again.headers, { 'x-debtorrent-source': 'cache' });
    t.ok(isWhole(again, archive.file('kept')));
    await daemon.close();
  }
});

t.test('a cache directory that others may write to is told of', async (t) => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'dt-open-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true }));
  chmodSync(cacheDir, 0o777);
  const { daemon } = await Scene.start(t, { state: { add: [] }, daemon: { cacheDir } });
  const said = () => daemon.logged('every user of this machine can alter the cache');
  await until('it is logged', () => said().length > 0);
  t.match(said(), [`"path":"${cacheDir}"`]);
});

const skipWithoutRoot = process.geteuid?.() !== 0 && 'only root can give permissions up';

t.test(
  'a cache of which the part with the files is not to be written to is refused in one line',
  { skip: skipWithoutRoot },
  async (t) => {
    const cacheDir = mkdtempSync(join(tmpdir(), 'dt-foreign-'));
    t.teardown(() => rmSync(cacheDir, { recursive: true }));
    mkdirSync(join(cacheDir, 'files'), { mode: 0o500 });
    // root that may no more than others
    const launcher = ['setpriv', '--inh-caps', '-all', '--bounding-set', '-all'];
    const starts = Scene.start(t, { state: { add: [] }, daemon: { cacheDir, launcher } });
    await t.rejects(starts, /ended with 1 [^]*\ndebtorrent: cache-dir \S+: EACCES: permission denied, rename .*probe/);
    t.same(readdirSync(join(cacheDir, 'partial')), []);
  },
);
