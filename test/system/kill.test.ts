/** SIGKILL at any moment: the next start serves what was finished, completes what was not, and keeps no bad file. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { freeLowPort } from '../../scripts/support/scope.ts';
import { filesBelow } from '../support/files.ts';
import { skipWithoutApt, sleep, until } from '../support/process.ts';
import { Scene, aptGetsEverything, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { randomNumbers, sha256 } from '../support/random.ts';

t.setTimeout(600_000);

const KILLS = 20;

/** Finished files of the cache: those named after a SHA-256. */
function finishedFiles(cacheDir: string): string[] {
  return filesBelow(cacheDir)
    .map(({ path }) => path)
    .filter((path) => /^[0-9a-f]{64}$/.test(basename(path)) && !relative(cacheDir, path).startsWith('partial'));
}

/** Those whose content is another than their name says. */
function badFiles(cacheDir: string): string[] {
  return finishedFiles(cacheDir).filter((path) => sha256(readFileSync(path)) !== basename(path));
}

t.test('kill -9 in the middle of downloads, 20 times at random moments', { skip: skipWithoutApt }, async (t) => {
  t.setTimeout(180_000);
  const random = randomNumbers('kill');
  const names = Array.from({ length: 3 * KILLS }, (_, n) => `pkg${n}`);
  const scene = await Scene.start(t, {
    state: { add: names.map((name, n) => ({ name, size: n % 3 === 0 ? 1_500_000 : 30_000 })) },
    mirror: { connectionRate: 6_000_000 },
  });
  const { archive, daemon } = scene;
  await scene.adopt();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const batch = names.slice(3 * kill, 3 * kill + 3);
    const asked = batch.map((name) => scene.get(archive.file(name).path).catch(() => undefined));
    if (kill % 4 === 3) archive.publish({ add: [{ name: `during${kill}` }] });
    const release = scene.get('dists/trixie/InRelease').catch(() => undefined);
    await sleep(random() * 400);
    await daemon.kill9();
    const answers = await Promise.all(asked);
    await release;
    for (const [n, answer] of answers.entries()) {
      if (answer?.status !== 200 || !answer.complete) continue;
      if (!isWhole(answer, archive.file(batch[n] ?? ''))) t.fail(`a wrong file passed as whole at kill ${kill}`);
    }
    const bad = badFiles(daemon.cacheDir);
    if (bad.length > 0) t.fail(`bad files after kill ${kill}: ${bad.join()}`);
    await daemon.start();
  }
  await aptGetsEverything(t, scene);
  const stopped = await daemon.stop();
  t.equal(stopped.code, 0);
  t.same(badFiles(daemon.cacheDir), [], 'every file in the cache is what its name says');
  t.ok(finishedFiles(daemon.cacheDir).length >= archive.packages.length, 'and all are there');
});

t.test('kill -9 while APT downloads: APT completes when the daemon is back', { skip: skipWithoutApt }, async (t) => {
  const names = Array.from({ length: 12 }, (_, n) => `pkg${n}`);
  const scene = await Scene.start(t, {
    state: { add: names.map((name) => ({ name, size: 400_000 })) },
    mirror: { connectionRate: 1_500_000 },
    // one that nobody else is given meanwhile
    daemon: { listen: `127.0.0.1:${await freeLowPort()}` },
  });
  const { archive, daemon } = scene;
  const apt = scene.apt('prefix');
  t.equal((await apt.update()).code, 0);
  const { http } = daemon.ready;
  const download = apt.installDownloadOnly(...names);
  await sleep(300);
  await daemon.kill9();
  await daemon.start(http);
  const got = await download;
  const again = got.files.length === names.length ? got : await apt.installDownloadOnly(...names);
  t.same(downloaded(again), hashesOf(archive, ...names), again.output);
  t.same(badFiles(daemon.cacheDir), []);
});

t.test('kill -9 right after the log says that an index is loaded', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, {
    state: { add: [{ name: 'hello' }] },
    // Lines of this format are written at once.
    daemon: { flags: ['--log-format', 'pretty'] },
  });
  const { archive, daemon, mirror } = scene;
  await scene.get(archive.metaPath('InRelease'));
  const asked = scene.get(archive.byHashPath('main/binary-amd64/Packages.xz')).catch(() => undefined);
  await until('the log says so', () => daemon.logged('index loaded').length > 0);
  await daemon.kill9();
  await asked;
  await mirror.down();
  await daemon.start();
  await scene.untilTorrents(1);
  t.pass('it is there although nobody asks for it and the mirror is down');
});
