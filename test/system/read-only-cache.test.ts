/** A cache on a file system that has become read-only, as a disk with faults does: what it has is served all the same. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { skipWithoutApt, until } from '../support/process.ts';
import { downloaded, hashesOf, isWhole, Scene } from '../support/scene.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt || skipWithoutMount();

t.test('a daemon starts on it, serves what is there and passes the rest through', { skip }, async (t) => {
  const disk = mkdtempSync(join(tmpdir(), 'dt-ro-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64M', 'tmpfs', disk]);
  t.teardown(() => {
    execFileSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true });
  });
  const cacheDir = join(disk, 'cache');
  const scene = await Scene.start(t, {
    state: {
      add: [
        { name: 'kept', size: 300_000 },
        { name: 'other', size: 300_000 },
      ],
    },
    daemon: { cacheDir },
  });
  const { archive, daemon } = scene;
  await scene.adopt();
  t.equal((await scene.get(archive.file('kept').path)).status, 200);
  await until('it is kept', async () => (await daemon.status()).transfers.length === 0);
  await daemon.stop();
  // what a daemon that was killed leaves, and cannot be removed now
  for (const [directory, name] of [
    ['partial', 'url-x'],
    ['names', 'x.json.tmp'],
    ['catalogue', 'verify-1-1'],
  ] as const) {
    writeFileSync(join(cacheDir, directory, name), 'left');
  }
  execFileSync('mount', ['-o', 'remount,ro', disk]);

  await daemon.start();
  await until('it is said', () => daemon.logged('cache-dir is on a read-only file system').length === 1);
  const kept = await scene.get(archive.file('kept').path);
  t.match(kept.headers, { 'x-debtorrent-source': 'cache' });
  t.ok(isWhole(kept, archive.file('kept')));
  const other = await scene.get(archive.file('other').path);
  t.ok(isWhole(other, archive.file('other')), `${other.status} ${other.body.subarray(0, 200).toString('latin1')}`);
  const apt = scene.apt('prefix');
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  t.same(downloaded(await apt.download('kept', 'other')), hashesOf(archive, 'kept', 'other'));

  execFileSync('mount', ['-o', 'remount,rw', disk]);
  t.ok(isWhole(await scene.get(archive.file('other').path), archive.file('other')));
  await until('it is kept now', async () => {
    const { headers } = await scene.get(archive.file('other').path);
    return headers['x-debtorrent-source'] === 'cache';
  });
});

t.test('a directory that cannot be made there is named', { skip }, async (t) => {
  const disk = mkdtempSync(join(tmpdir(), 'dt-ro-'));
  mkdirSync(join(disk, 'x'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1M', 'tmpfs', disk]);
  t.teardown(() => {
    execFileSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true });
  });
  const starts = Scene.start(t, { state: { add: [] }, daemon: { cacheDir: join(disk, 'cache') } });
  await t.rejects(starts, /\ndebtorrent: cache-dir \S+cache: EROFS: read-only file system/);
});
