/** A disk that is full, or has become so, as APT and the daemon's catalogue see it. */
import t, { type Test } from 'tap';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesBelow } from '../support/files.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { Scene, isWhole, downloaded, hashesOf } from '../support/scene.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt || skipWithoutMount();

/** A small file system of its own: `fill` leaves so many bytes free. */
function smallDisk(t: Test, megabytes: number) {
  const path = mkdtempSync(join(tmpdir(), 'dt-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}M`, 'tmpfs', path]);
  t.teardown(() => {
    execFileSync('umount', ['--lazy', path]);
    rmSync(path, { recursive: true });
  });
  const others = join(path, 'others');
  const free = (): number => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  return {
    cacheDir: join(path, 'cache'),
    fill(left: number): void {
      rmSync(others, { force: true });
      writeFileSync(others, Buffer.alloc(Math.max(0, free() - left)));
    },
    clear: () => rmSync(others, { force: true }),
  };
}

/** All that the store has: what was used just now would stay for a minute. */
function usedAnHourAgo(cacheDir: string): void {
  for (const { path, stats } of filesBelow(join(cacheDir, 'files'))) {
    utimesSync(path, Date.now() / 1000 - 3600, stats.mtimeMs / 1000);
  }
}

t.test('APT gets a new Release and all that it lists past a full disk, by names alone', { skip }, async (t) => {
  const disk = smallDisk(t, 24);
  const scene = await Scene.start(t, {
    archive: { byHash: false },
    state: { add: [{ name: 'old', size: 10_000 }] },
    daemon: { cacheDir: disk.cacheDir },
  });
  const { archive, daemon } = scene;
  const apt = scene.apt('prefix');
  t.equal((await apt.update()).code, 0);
  await scene.untilTorrents(1);
  disk.fill(200_000);
  await until('the daemon has noticed', async () => {
    t.equal((await apt.update()).code, 0);
    return daemon.logged('passing by the store').length > 0;
  });
  const known = await scene.get(archive.metaPath('main/binary-amd64/Packages.xz'));
  t.match(known.headers, { 'x-debtorrent-source': 'cache' }, 'the Release is the adopted one');
  t.same(daemon.logged('answer ends short'), [], 'a 304 is no failure');
  archive.publish({ add: [{ name: 'new', size: 20_000 }] });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  const got = await apt.download('old', 'new');
  t.same(downloaded(got), hashesOf(archive, 'old', 'new'), got.output);
  disk.clear();
  t.equal((await apt.update()).code, 0);
  const index = await scene.get(archive.metaPath('main/binary-amd64/Packages.xz'));
  t.match(index.headers, { etag: /^"[0-9a-f]{64}"$/ }, 'it is checked again when there is room');
});

/** Stanzas of an index that takes some 300 bytes for each of so many packages. */
function stanzas(count: number): string {
  const stanza = (n: number): string =>
    [
      `Package: many${n}`,
      'Version: 1',
      'Architecture: amd64',
      `Filename: pool/main/m/many${n}_1_amd64.deb`,
      'Size: 100',
      `SHA256: ${n.toString(16).padStart(64, '0')}`,
      `Description: ${'one of many '.repeat(12)}`,
    ].join('\n');
  return Array.from({ length: count }, (_, n) => `\n${stanza(n)}\n`).join('');
}

t.test('where the cache has taken all of the disk, an index gets the room that it needs', { skip }, async (t) => {
  const disk = smallDisk(t, 48);
  const names = Array.from({ length: 20 }, (_, n) => `pkg${n}`);
  const scene = await Scene.start(t, {
    state: { add: names.map((name) => ({ name, size: 3_000_000 })) },
    daemon: { cacheDir: disk.cacheDir },
  });
  const { archive, daemon } = scene;
  await scene.adopt();
  for (const name of names) await scene.get(archive.file(name).path);
  await daemon.stop();
  usedAnHourAgo(disk.cacheDir);
  await daemon.start();
  const more = stanzas(60_000);
  archive.publish({
    mangleIndex: (path, text) => (path === 'main/binary-amd64/Packages' ? text + more : text),
  });
  for (const path of [archive.metaPath('InRelease'), archive.byHashPath('main/binary-amd64/Packages.xz')]) {
    t.equal((await scene.get(path)).status, 200, path);
  }
  await until('it is loaded', async () => (await daemon.status()).torrents[0]?.files === 60_000 + names.length);
  t.same(daemon.logged('index not loaded'), []);
});

t.test('a file that is larger than the disk costs neither the others nor the mirror', { skip }, async (t) => {
  const disk = smallDisk(t, 64);
  const [SIZE, old] = [90_000_000, ['one', 'two', 'three']];
  const scene = await Scene.start(t, {
    state: { add: [...old.map((name) => ({ name, size: 8_000_000 })), { name: 'large', size: SIZE }] },
    daemon: { cacheDir: disk.cacheDir },
  });
  const { archive, daemon, mirror } = scene;
  await scene.adopt();
  for (const name of old) await scene.get(archive.file(name).path);
  await until('they are kept', async () => (await daemon.status()).transfers.length === 0);
  await daemon.stop();
  usedAnHourAgo(disk.cacheDir);
  await daemon.start();
  const { path } = archive.file('large');
  archive.write('unknown.bin', archive.read(path));
  for (const asked of [path, 'unknown.bin']) {
    const answer = await scene.get(asked);
    t.ok(isWhole(answer, archive.file('large')), asked);
    const sent = mirror.bytes(archive.url(asked));
    t.ok(sent < 1.2 * archive.file('large').size, `${asked}: the mirror sent ${sent} bytes`);
  }
  await mirror.down();
  for (const name of old)
    t.match((await scene.get(archive.file(name).path)).headers, { 'x-debtorrent-source': 'cache' });
});
