/** The main job: real APT gets all of an archive through the daemon, in both forms, over TCP and a Unix socket. */
import t from 'tap';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { hasCommand, run, skipWithoutApt, until } from '../support/process.ts';
import { exchange, requestText } from '../support/raw-http.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { sha256 } from '../support/random.ts';

t.setTimeout(600_000);

const names = Array.from({ length: 120 }, (_, n) => `pkg${n}`);
const state = {
  add: [
    ...names.map((name, n) => ({
      name,
      size: 1000 + ((n * 7919) % 90_000),
      component: n % 5 === 0 ? 'contrib' : 'main',
      architecture: n % 2 === 0 ? 'all' : 'amd64',
    })),
    { name: 'large', size: 12_000_000, architecture: 'arm64' },
  ],
  sources: [
    { name: 'src1', size: 500_000 },
    { name: 'src2', component: 'contrib' },
  ],
};

t.test('APT through the daemon', { skip: skipWithoutApt }, async (t) => {
  const run_ = mkdtempSync(join(tmpdir(), 'dt-run-'));
  const socketPath = join(run_, 'apt.sock');
  const scene = await Scene.start(t, {
    state,
    archive: { pdiffs: true, extras: true },
    daemon: { flags: ['--socket', socketPath] },
  });
  scene.later(() => rmSync(run_, { recursive: true, force: true }));
  const { archive, mirror, daemon } = scene;
  const options = { source: true, extras: true, architectures: ['amd64', 'arm64'] };

  await t.test('update and download of everything, in prefix form and then in proxy form', async (t) => {
    for (const form of ['prefix', 'proxy'] as const) {
      const apt = scene.apt(form, options);
      mirror.forget();
      const updated = await apt.update();
      t.equal(updated.code, 0, updated.output);
      t.notMatch(updated.output, /^(Err|Ign|W:|E:)/m, 'nothing was ignored or failed');
      const got = await apt.download(...names, 'large:arm64');
      t.same(downloaded(got), hashesOf(archive, ...names, 'large'), `${form}\n${got.output.slice(-1000)}`);
      const installed = await apt.installDownloadOnly(...names);
      t.same(downloaded(installed), hashesOf(archive, ...names), `${form}\n${installed.output.slice(-1000)}`);
      const sources = await apt.source('src1', 'src2');
      t.equal(sources.files.length, 6, sources.output);
      if (form === 'proxy') {
        t.equal(mirror.bytes(/\/pool\//), 0, 'the second machine costs the mirror no package');
        t.equal(mirror.bytes(/by-hash/), 0, 'and no index');
      } else {
        t.ok(
          archive.packages.every(({ file }) => mirror.copies(archive.url(file.path)) === 1),
          'the first costs it one copy of each',
        );
      }
    }
  });

  await t.test('update by pdiffs and the upgrade of what changed', async (t) => {
    const apt = scene.apt('proxy', options);
    t.equal((await apt.update()).code, 0);
    archive.publish({
      add: [
        { name: 'pkg1', version: '2.0' },
        { name: 'extra', size: 5000 },
      ],
      remove: ['pkg2'],
    });
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    t.match(updated.output, /pdiff/);
    const got = await apt.download('pkg1', 'extra');
    t.same(downloaded(got), hashesOf(archive, 'pkg1', 'extra'), got.output);
  });

  await t.test('the Unix socket serves both forms', async (t) => {
    const file = archive.file('pkg3');
    const target = { port: 0, socketPath };
    const [prefix] = await exchange(
      target,
      requestText('GET', `/${mirror.host}${archive.url(file.path)}`, 'localhost'),
    );
    t.ok(prefix !== undefined && isWhole(prefix, file));
    const [proxy] = await exchange(target, requestText('GET', `${mirror.url}${archive.url(file.path)}`, mirror.host));
    t.ok(proxy !== undefined && isWhole(proxy, file));
    const health = await exchange(target, requestText('GET', '/healthz', 'localhost'));
    t.equal(health[0]?.status, 200);
  });

  await t.test('curl over the Unix socket', { skip: !hasCommand('curl') && 'no curl on this machine' }, async (t) => {
    const file = archive.file('large');
    const out = join(run_, 'large.deb');
    const url = `http://localhost/${mirror.host}${archive.url(file.path)}`;
    const result = await run('curl', ['--silent', '--fail', '--unix-socket', socketPath, '--output', out, url]);
    t.equal(result.code, 0, result.output);
    const sum = await run('sha256sum', [out]);
    t.equal(sum.stdout.slice(0, 64), file.sha256);
  });

  await t.test('the status page tells what happened', async (t) => {
    const torrents = async () => (await daemon.status()).torrents.length;
    await until('main, contrib, two architectures, and Sources have torrents', async () => (await torrents()) >= 5);
    const status = await daemon.status();
    t.match(status, {
      version: String,
      uptime_s: Number,
      peers: [],
      cache: { files: Number, bytes: Number, limit_bytes: 20 * 1024 ** 3 },
    });
    for (const name of [
      'served_bytes',
      'from_cache_bytes',
      'from_peers_bytes',
      'from_mirror_bytes',
      'uploaded_bytes',
      'requests',
      'errors',
      'hash_failures',
      'bans',
    ]) {
      t.type(status.totals[name], 'number', name);
    }
    t.ok((status.totals['from_cache_bytes'] ?? 0) > 0 && (status.totals['from_mirror_bytes'] ?? 0) > 0);
    t.ok(status.mirrors.some(({ host, bytes }) => host.startsWith('127.0.0.1') && bytes > 12_000_000));
    t.ok(status.cache.bytes > 12_000_000);
    t.ok(status.torrents.every(({ id }) => /^[0-9a-f]{40}$/.test(id)));
    t.equal(new Set(status.torrents.map(({ id }) => id)).size, status.torrents.length);
    await until('nothing is under way', async () => (await daemon.status()).transfers.length === 0);
    const metrics = await daemon.metrics();
    for (const name of [
      'debtorrent_served_bytes_total{source="cache"}',
      'debtorrent_served_bytes_total{source="mirror"}',
      'debtorrent_mirror_bytes_total{host=',
      'debtorrent_requests_total{code="200"}',
      'debtorrent_request_seconds_bucket',
      'debtorrent_transfers ',
      'debtorrent_torrents ',
      'debtorrent_hash_failures_total ',
      'debtorrent_cache_bytes ',
      'debtorrent_cache_files ',
      'debtorrent_event_loop_delay_seconds',
      'process_cpu_seconds_total',
    ]) {
      t.ok(metrics.includes(name), name);
    }
    const page = await daemon.request('/');
    t.equal(page.status, 200);
    t.equal((await daemon.request('/readyz')).status, 200);
  });

  await t.test('a stop and a start keep cache, catalogue and torrents', async (t) => {
    const before = await daemon.status();
    const stopped = await daemon.stop();
    t.equal(stopped.code, 0);
    t.ok(stopped.ms < 10_000);
    await daemon.start();
    mirror.forget();
    const after = await daemon.status();
    t.same(after.torrents.map(({ id }) => id).toSorted(), before.torrents.map(({ id }) => id).toSorted());
    t.equal(after.cache.files, before.cache.files);
    const file = archive.file('pkg7');
    const answer = await scene.get(file.path);
    t.ok(isWhole(answer, file));
    t.equal(answer.headers['x-debtorrent-source'], 'cache');
    t.equal(mirror.bytes(/\/pool\//), 0);
    const unknown = archive.file('extra');
    const stop = mirror.rule(archive.url(unknown.path), { alterAt: 100 });
    const again = await scene.get(unknown.path);
    t.equal(sha256(again.body), unknown.sha256);
    stop();
  });
});
