import t, { type Test } from 'tap';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon } from '../support/daemon.ts';
import { filesBelow } from '../support/files.ts';
import { makeKeys } from '../support/keys.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { sha256 } from '../support/random.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt;

/** A file system of `megabytes`, or undefined where mounting is not permitted. */
function smallDisk(megabytes: number): { path: string; close(): void } | undefined {
  const path = mkdtempSync(join(tmpdir(), 'dt-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}M`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    rmSync(path, { recursive: true });
    return undefined;
  }
  return {
    path,
    close() {
      execFileSync('umount', ['--lazy', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

const probe = smallDisk(1);
probe?.close();
const skipMount = skip || (probe === undefined && 'mounting a small file system is not permitted here');

/** Where the cache keeps content with this hash: the one file that is it. */
function cachedFile(cacheDir: string, file: { size: number; sha256: string }): string | undefined {
  return filesBelow(cacheDir).find(
    ({ path, stats }) => stats.size === file.size && sha256(readFileSync(path)) === file.sha256,
  )?.path;
}

t.test(
  'disk full, power loss, corrupt file: on a full disk the daemon becomes a plain proxy',
  { skip: skipMount },
  async (t) => {
    const disk = smallDisk(12);
    if (disk === undefined) throw new Error('a mount that worked before does not work now');
    const large = Array.from({ length: 4 }, (_, n) => `large${n}`);
    const scene = await Scene.start(t, {
      state: { add: [...large.map((name) => ({ name, size: 7_000_000 })), { name: 'small', size: 20_000 }] },
      daemon: { cacheDir: join(disk.path, 'cache') },
    });
    scene.later(async () => {
      await scene.daemon.kill9();
      disk.close();
    });
    const { archive, daemon } = scene;
    await scene.adopt();
    for (const name of large) {
      const answer = await scene.get(archive.file(name).path);
      t.ok(isWhole(answer, archive.file(name)), `${name}: ${answer.status} ${answer.body.length} ${answer.complete}`);
    }
    t.ok(isWhole(await scene.get(archive.file('small').path), archive.file('small')));
    const both = await Promise.all(large.map((name) => scene.get(archive.file(name).path)));
    t.ok(
      both.every((answer, n) => isWhole(answer, archive.file(large[n] ?? ''))),
      'all at once as well',
    );
    t.equal((await daemon.request('/healthz')).status, 200);
    for (const form of ['prefix', 'proxy'] as const) {
      const apt = scene.apt(form);
      const updated = await apt.update();
      t.equal(updated.code, 0, updated.output);
      const got = await apt.download(...large);
      t.same(downloaded(got), hashesOf(archive, ...large), got.output);
    }
    // Not even a directory can be made now.
    const filler = join(disk.path, 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(64 * 1024 * 1024));
    } catch {
      // that was the point
    }
    archive.publish({ add: [{ name: 'late', size: 2_000_000 }] });
    const apt = scene.apt('prefix');
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    const got = await apt.download('late');
    t.same(downloaded(got), hashesOf(archive, 'late'), got.output);
    await daemon.kill9();
    await daemon.start();
    t.ok(isWhole(await scene.get(archive.file('large0').path), archive.file('large0')), 'after a start on a full disk');
    rmSync(filler);
    await until('small files are cached once there is room', async () => {
      const answer = await scene.get(archive.file('small').path);
      return isWhole(answer, archive.file('small')) && answer.headers['x-debtorrent-source'] === 'cache';
    });
  },
);

/** A daemon on a small disk, with a mirror that says no more of a file than its length. */
async function tersely(t: Test, megabytes: number, size: number, serve: (res: ServerResponse) => void) {
  const disk = smallDisk(megabytes);
  if (disk === undefined) throw new Error('a mount that worked before does not work now');
  const web = createServer((_, res) => serve(res.setHeader('content-length', size)));
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const host = `127.0.0.1:${(web.address() as AddressInfo).port}`;
  const keys = makeKeys();
  const cacheDir = join(disk.path, 'cache');
  const daemon = await Daemon.start({ mirrors: [host], keyring: keys.keyring, cacheDir });
  t.teardown(async () => {
    await daemon.kill9();
    disk.close();
    web.closeAllConnections();
    web.close();
    keys.close();
  });
  return { disk, daemon, get: () => daemon.get(host, '/debian/file') };
}

t.test(
  'disk full by a file that is larger, of which the mirror says no more than the length',
  { skip: skipMount },
  async (t) => {
    const data = Buffer.alloc(8_800_000, 'x');
    const { get } = await tersely(t, 5, data.length, (res) => res.end(data));
    const { status, complete, body } = await get();
    t.strictSame([status, complete, body.length], [200, true, data.length], 'it passes by the store');
  },
);

t.test(
  'disk full in a file of which the mirror says no more than the length: cut, and said why',
  { skip: skipMount },
  async (t) => {
    const data = Buffer.alloc(12_000_000, 'x');
    const half = data.length / 2;
    let goOn = () => {};
    const full = new Promise<void>((resolve) => (goOn = resolve));
    const { daemon, disk, get } = await tersely(t, 20, data.length, (res) => {
      res.write(data.subarray(0, half));
      void full.then(() => res.end(data.subarray(half)));
    });
    const answer = get();
    await until('half of it is written', () =>
      filesBelow(join(disk.path, 'cache')).some(({ stats }) => stats.blocks * 512 >= half),
    );
    const others = openSync(join(disk.path, 'others'), 'w');
    t.throws(
      () => {
        for (let n = 0; n < 40; n++) writeSync(others, data, 0, 1_000_000);
      },
      { code: 'ENOSPC' },
    );
    closeSync(others);
    goOn();
    t.match(await answer, { status: 200, complete: false });
    await until('it is logged', () => daemon.logged('"HASH_MISMATCH"').length > 0);
    t.match(
      daemon.logged('"HASH_MISMATCH"').join('\n'),
      /no room for the rest, and the mirror has neither ETag nor Last-Modified/,
    );
  },
);

t.test(
  'disk full, power loss, corrupt file: what was finished is served from the cache, what was not is fetched',
  { skip },
  async (t) => {
    const scene = await Scene.start(t, {
      state: {
        add: [
          { name: 'done', size: 300_000 },
          { name: 'half', size: 3_000_000 },
        ],
      },
    });
    const { archive, daemon, mirror } = scene;
    await scene.adopt();
    await until('one is in the cache', async () => {
      const answer = await scene.get(archive.file('done').path);
      return isWhole(answer, archive.file('done')) && answer.headers['x-debtorrent-source'] === 'cache';
    });
    const half = archive.url(archive.file('half').path);
    const stop = mirror.rule(half, { rate: 2_000_000 });
    const broken = scene.get(archive.file('half').path).catch(() => undefined);
    await until('half of it is there', () => mirror.bytes(half) > 1_000_000);
    await daemon.kill9();
    await broken;
    stop();
    mirror.forget();
    await daemon.start();
    const done = await scene.get(archive.file('done').path);
    t.ok(isWhole(done, archive.file('done')));
    t.equal(done.headers['x-debtorrent-source'], 'cache');
    t.ok(isWhole(await scene.get(archive.file('half').path), archive.file('half')));
    t.equal(mirror.bytes(archive.url(archive.file('done').path)), 0);
  },
);

t.test('disk full, power loss, corrupt file: damaged files in the cache are refetched', { skip }, async (t) => {
  const names = ['cut', 'emptied', 'gone', 'altered', 'longer'];
  const scene = await Scene.start(t, { state: { add: names.map((name) => ({ name, size: 400_000 })) } });
  const { archive, daemon } = scene;
  const paths = new Map<string, string>();
  await scene.adopt();
  for (const name of names) {
    await until('it is served from the cache', async () => {
      const answer = await scene.get(archive.file(name).path);
      return isWhole(answer, archive.file(name)) && answer.headers['x-debtorrent-source'] === 'cache';
    });
  }
  /** After a stop all that was fetched is in its place. */
  async function restart(whileStopped: () => void): Promise<void> {
    t.equal((await daemon.stop()).code, 0);
    for (const name of names) {
      const path = cachedFile(daemon.cacheDir, archive.file(name));
      t.ok(path, `${name} is a file of the cache directory`);
      paths.set(name, path ?? '');
    }
    whileStopped();
    await daemon.start();
  }
  const damage = (): void => {
    const at = (name: string): string => paths.get(name) ?? '';
    truncateSync(at('cut'), 100_000);
    truncateSync(at('emptied'), 0);
    rmSync(at('gone'));
    writeFileSync(at('longer'), Buffer.concat([archive.read(archive.file('longer').path), Buffer.from('more')]));
  };
  const alter = (): void => {
    const altered = paths.get('altered') ?? '';
    const data = readFileSync(altered);
    data[200_000] = (data[200_000] ?? 0) ^ 1;
    writeFileSync(altered, data);
  };
  await t.test('while the daemon runs', async (t) => {
    await restart(() => undefined);
    for (let time = 0; time < 2; time++) {
      t.ok(isWhole(await scene.get(archive.file('altered').path), archive.file('altered')));
    }
    alter();
    await until('what was sent a moment ago and is altered now is right again', async () => {
      const answer = await scene.get(archive.file('altered').path);
      t.equal(answer.complete, isWhole(answer, archive.file('altered')), 'what is wrong ends short');
      return answer.complete;
    });
    damage();
    for (const name of ['cut', 'emptied', 'gone', 'longer']) {
      await until(`${name} is right again`, async () =>
        isWhole(await scene.get(archive.file(name).path), archive.file(name)),
      );
    }
    t.pass();
  });
  await t.test('while it does not run', async (t) => {
    await restart(() => {
      damage();
      alter();
    });
    for (const name of ['cut', 'emptied', 'gone', 'longer']) {
      const answer = await scene.get(archive.file(name).path);
      t.ok(isWhole(answer, archive.file(name)), `${name} at once`);
    }
    await until(
      'the background check finds what has the right size and wrong bytes',
      async () => isWhole(await scene.get(archive.file('altered').path), archive.file('altered')),
      30_000,
    );
  });
  await t.test('junk in the cache directory is no obstacle', async (t) => {
    await daemon.stop();
    for (const { path } of filesBelow(daemon.cacheDir)) {
      if (!/^[0-9a-f]{64}$/.test(path.slice(path.lastIndexOf('/') + 1))) writeFileSync(path, '\0junk{');
    }
    await daemon.start();
    for (const name of names) t.ok(isWhole(await scene.get(archive.file(name).path), archive.file(name)), name);
  });
});
