/** The point of it all: machines that update one after the other, or at once, share what one of them has fetched. */
import t from 'tap';
import { skipWithoutApt, until } from '../support/process.ts';
import { Daemon } from '../support/daemon.ts';
import type { DaemonOptions, Status } from '../support/daemon.ts';
import { Apt } from '../support/apt.ts';
import { Archive } from '../support/archive.ts';
import { makeKeys } from '../support/keys.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

t.setTimeout(600_000);

const small = Array.from({ length: 60 }, (_, n) => `pkg${n}`);
const all = [...small, 'large'];
const state = {
  add: [...small.map((name, n) => ({ name, size: 1000 + ((n * 7919) % 90_000) })), { name: 'large', size: 9_000_000 }],
};

/** Another machine: a daemon of its own and an APT that uses it. */
async function machine(scene: Scene, options: Partial<DaemonOptions> = {}) {
  const { keys, mirror, archive } = scene;
  const daemon = await Daemon.start({
    keyring: keys.keyring,
    mirrors: [mirror.host],
    peers: { fixed: [peerOf(scene.daemon)] },
    ...options,
  });
  const apt = new Apt({
    uri: `${mirror.url}${archive.url('').replace(/\/$/, '')}`,
    suite: `${archive.suite} main contrib`,
    keyring: keys.keyring,
    daemon: daemon.url,
    form: 'prefix',
  });
  scene.later(async () => {
    apt.close();
    await daemon.close();
  });
  return { daemon, apt };
}

function peerOf(daemon: Daemon): string {
  const { peer } = daemon.ready;
  if (peer === null) throw new Error('the daemon has no peers');
  return peer;
}

async function linked(...daemons: Daemon[]): Promise<void> {
  for (const daemon of daemons) {
    const peers = async () => (await daemon.status()).torrents.some((torrent) => torrent.peers > 0);
    await until('the machines are linked', peers);
  }
}

const fromPeers = ({ totals }: Status) => totals['from_peers_bytes'] ?? 0;

t.test('the second machine takes everything from the first', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state, daemon: { peers: {} } });
  const { archive, mirror } = scene;
  const first = scene.apt('prefix');
  t.equal((await first.update()).code, 0);
  t.same(downloaded(await first.download(...all)), hashesOf(archive, ...all));

  const second = await machine(scene);
  t.equal((await second.apt.update()).code, 0);
  await linked(scene.daemon, second.daemon);
  // An index that was asked for when the machines were linked already came from the peer too.
  const before = fromPeers(await second.daemon.status());
  // A busy machine may miss the 50 ms after which the mirror is asked: what counts is that it is not needed.
  mirror.rule(/\.deb$/, { status: 503 });
  const got = await second.apt.download(...all);
  t.same(downloaded(got), hashesOf(archive, ...all), got.output.slice(-2000));
  const status = await second.daemon.status();
  const bytes = before + all.reduce((sum, name) => sum + archive.file(name).size, 0);
  t.equal(fromPeers(status), bytes, 'all bytes came from the peer');
  t.equal((await scene.daemon.status()).totals['uploaded_bytes'], bytes, 'who counts the same');
  t.equal(status.totals['hash_failures'], 0);
});

t.test('a private swarm shares; who has not its key learns nothing', { skip: skipWithoutApt }, async (t) => {
  const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const dir = mkdtempSync(join(tmpdir(), 'dt-key-'));
  const keyFile = join(dir, 'swarm.key');
  const otherKey = join(dir, 'other.key');
  writeFileSync(keyFile, `${'5a'.repeat(32)}\n`);
  writeFileSync(otherKey, `${'a5'.repeat(32)}\n`);
  const scene = await Scene.start(t, { state, daemon: { peers: {}, flags: ['--swarm-key', keyFile] } });
  scene.later(() => rmSync(dir, { recursive: true, force: true }));
  const { archive, mirror } = scene;
  const first = scene.apt('prefix');
  t.equal((await first.update()).code, 0);
  t.same(downloaded(await first.download(...small)), hashesOf(archive, ...small));

  const friend = await machine(scene, { flags: ['--swarm-key', keyFile] });
  t.equal((await friend.apt.update()).code, 0);
  await linked(scene.daemon, friend.daemon);
  const gone = mirror.rule(/\.deb$/, { status: 503 });
  t.same(downloaded(await friend.apt.download(...small)), hashesOf(archive, ...small));
  gone();

  for (const flags of [[], ['--swarm-key', otherKey]]) {
    const stranger = await machine(scene, { flags });
    t.equal((await stranger.apt.update()).code, 0);
    t.same(downloaded(await stranger.apt.download(...small)), hashesOf(archive, ...small));
    t.equal(fromPeers(await stranger.daemon.status()), 0, 'without it, nothing from peers');
    t.ok((await stranger.daemon.status()).torrents.every(({ peers }) => peers === 0));
  }
});

t.test('what no public keyring vouches for stays here', { skip: skipWithoutApt }, async (t) => {
  const others = makeKeys();
  const publicKeyring = others.keyring;
  const scene = await Scene.start(t, { state, daemon: { peers: {}, publicKeyring } });
  scene.later(() => others.close());
  const first = scene.apt('prefix');
  t.equal((await first.update()).code, 0);
  t.same(downloaded(await first.download('pkg1')), hashesOf(scene.archive, 'pkg1'));
  const second = await machine(scene, { publicKeyring });
  t.equal((await second.apt.update()).code, 0);
  t.same(downloaded(await second.apt.download('pkg1')), hashesOf(scene.archive, 'pkg1'));
  t.equal(fromPeers(await second.daemon.status()), 0);
});

t.test('a fixed peer is found that shares another torrent than the first', async (t) => {
  const scene = await Scene.start(t, { state, daemon: { peers: {} } });
  const { archive, keys } = scene;
  // Its own first, then those that both have.
  const others = ['older', 'newer'].map((suite) => {
    const options = { keys, seed: suite, suite, base: suite, root: archive.root };
    return new Archive(options).publish({ add: [{ name: suite, size: 1000 }] });
  });
  const { daemon } = await machine(scene);
  const adopt = async (each: Archive) => {
    const { torrents } = await daemon.status();
    for (const path of [each.metaPath('InRelease'), each.byHashPath('main/binary-amd64/Packages.xz')])
      t.equal((await daemon.get(scene.mirror.host, each.url(path))).status, 200);
    await until('there is one more', async () => (await daemon.status()).torrents.length > torrents.length);
  };
  for (const each of others) await adopt(each);
  await scene.adopt();
  await adopt(archive);
  await linked(daemon, scene.daemon);
});

t.test('a machine that sleeps holds nobody up, and shares again when it wakes', async (t) => {
  const scene = await Scene.start(t, { state, daemon: { peers: {} } });
  const { archive, mirror } = scene;
  const get = (daemon: Daemon, name: string) => daemon.get(mirror.host, archive.url(archive.file(name).path));
  await scene.adopt();
  const { daemon } = await machine(scene);
  for (const path of [archive.metaPath('InRelease'), archive.byHashPath('main/binary-amd64/Packages.xz')])
    t.equal((await daemon.get(mirror.host, archive.url(path))).status, 200);
  await linked(scene.daemon, daemon);
  t.equal((await get(scene.daemon, 'pkg59')).status, 200);
  process.kill(scene.daemon.ready.pid, 'SIGSTOP');
  scene.later(() => process.kill(scene.daemon.ready.pid, 'SIGCONT'));
  for (const name of small.slice(0, 40)) {
    t.equal((await get(daemon, name)).status, 200);
    if (daemon.logged('is not waited for').length > 0) break;
  }
  await until('it is logged', () => daemon.logged('is not waited for').length > 0);
  t.equal(daemon.logged('is not waited for').length, 1, 'it is said once');
  process.kill(scene.daemon.ready.pid, 'SIGCONT');
  mirror.rule(/\.deb$/, { status: 503 });
  t.equal((await get(daemon, 'pkg59')).status, 200);
  t.equal(fromPeers(await daemon.status()), archive.file('pkg59').size);
});
