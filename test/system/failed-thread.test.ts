/**
 * The fetch thread of a running daemon fails once, by a module that Node loads into each of its threads: clients are
 * answered, and what the swarm's thread knew of the failed one is no part of what its successor does.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t from 'tap';

import { Daemon } from '../support/daemon.ts';
import { until } from '../support/process.ts';
import { Scene, isWhole } from '../support/scene.ts';

t.setTimeout(600_000);

/** Throws in the fetch thread when the file is there, which it removes. */
function failsWhen(flag: string): string {
  const module = `
    import { existsSync, rmSync } from 'node:fs';
    import { workerData } from 'node:worker_threads';
    if (workerData?.name === 'fetch') setInterval(() => {
      if (!existsSync(${JSON.stringify(flag)})) return;
      rmSync(${JSON.stringify(flag)});
      throw new Error('injected');
    }, 20).unref();`;
  return `--import=data:text/javascript,${encodeURIComponent(module)}`;
}

/** A second machine beside the scene's, linked with it. */
async function second(scene: Scene) {
  const { archive, keys, mirror } = scene;
  const directory = await mkdtemp(join(tmpdir(), 'dt-failed-'));
  const flag = join(directory, 'fail');
  const daemon = await Daemon.start({
    keyring: keys.keyring,
    mirrors: [mirror.host],
    peers: { fixed: [scene.daemon.ready.peer ?? ''] },
    env: { NODE_OPTIONS: failsWhen(flag) },
  });
  scene.later(async () => {
    await daemon.close();
    await rm(directory, { recursive: true });
  });
  const get = (path: string) => daemon.get(mirror.host, archive.url(path));
  await get(archive.metaPath('InRelease'));
  await get(archive.byHashPath('main/binary-amd64/Packages.xz'));
  const peers = async () => (await daemon.status()).torrents.some((torrent) => torrent.peers > 0);
  await until('they are linked', peers);
  return {
    daemon,
    peers,
    package: (name: string) => get(archive.file(name).path),
    fromPeers: async () => (await daemon.status()).totals['from_peers_bytes'] ?? 0,
    async fail() {
      writeFileSync(flag, '');
      await until('the thread has failed', () => !existsSync(flag));
      await until('the next one is there', () => daemon.lines.some((line) => line.includes('child restarted')));
      await until('the log says why', () => daemon.lines.some((line) => line.includes('injected')));
    },
  };
}

t.test('after the fetch thread has failed, files come from peers as before', async (t) => {
  const state = { add: ['a', 'b'].map((name) => ({ name, size: 300_000 })) };
  const scene = await Scene.start(t, { state, daemon: { peers: {} } });
  const { archive, mirror } = scene;
  await scene.adopt();
  for (const { name } of state.add) await scene.get(archive.file(name).path);
  const machine = await second(scene);
  mirror.rule(/\.deb$/, { status: 503 });
  t.ok(isWhole(await machine.package('a'), archive.file('a')));
  await machine.fail();
  t.ok(isWhole(await machine.package('b'), archive.file('b')));
});

t.test('what was on its way when the fetch thread failed is no part of what is asked for next', async (t) => {
  const state = { add: ['x', 'y'].map((name, n) => ({ name, size: 12_000_000 + n * 500_000 })) };
  const scene = await Scene.start(t, { state, daemon: { peers: {}, flags: ['--upload-limit', '2M'] } });
  const { archive, mirror } = scene;
  await scene.adopt();
  // The peer has x and not y.
  t.ok(isWhole(await scene.get(archive.file('x').path), archive.file('x')));
  const machine = await second(scene);
  const off = mirror.rule(/\/x_.*\.deb$/, { status: 503 });
  const broken = machine.package('x').catch(() => undefined);
  await until('x comes from the peer', async () => (await machine.fromPeers()) > 1_000_000);
  await machine.fail();
  await broken;
  await until('the peers are known', machine.peers);
  t.equal(await machine.fromPeers(), 0);
  t.ok(isWhole(await machine.package('y'), archive.file('y')));
  t.equal(await machine.fromPeers(), 0, 'nothing of x was taken for y');
  t.same((await machine.daemon.status())['torrents']?.map(({ wanted }) => wanted > 0).includes(true), false);
  off();
  t.ok(isWhole(await machine.package('x'), archive.file('x')));
});
