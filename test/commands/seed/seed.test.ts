/** `debtorrent seed` beside a real daemon, on a real archive, as people run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MAIN, spawnMain } from '../../support/daemon.ts';
import { run, skipWithoutApt, until } from '../../support/process.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../../support/scene.ts';

t.setTimeout(600_000);

const names = Array.from({ length: 12 }, (_, n) => `pkg${n}`);

function cached(scene: Scene, sha256: string): string {
  return join(scene.daemon.cacheDir, 'files', sha256.slice(0, 2), sha256);
}

function seed(scene: Scene, ...args: readonly string[]) {
  return run(process.execPath, [MAIN, 'seed', '--cache-dir', scene.daemon.cacheDir, ...args]);
}

const start = (t: Test, flags: readonly string[] = []): Promise<Scene> =>
  Scene.start(t, {
    state: { add: names.map((name) => ({ name, size: 30_000 })), sources: [{ name: 'src' }] },
    daemon: { flags },
  });

t.test('a pool is seeded by links, and served with the mirror down', { skip: skipWithoutApt }, async (t) => {
  const scene = await start(t);
  const { archive, daemon, mirror } = scene;
  const apt = scene.apt('prefix', { source: true });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  await scene.untilTorrents(2);
  const before = (await daemon.status()).cache;
  const source = archive.sources[0]?.files ?? [];
  const seeded = await seed(scene, join(archive.root, 'debian/pool'));
  t.equal(seeded.code, 0, seeded.output);
  const count = names.length + source.length;
  t.match(seeded.stdout, `took ${count} files (${count} linked, 0 copied)`);
  t.notMatch(seeded.output, /could not be used|\r/, 'and nothing else, no progress where there is no terminal');
  for (const { file } of archive.packages) t.equal(statSync(cached(scene, file.sha256)).nlink, 2);
  const after = (await daemon.status()).cache;
  t.equal(after.files - before.files, count, 'the running daemon counts them');
  const bytes = [...archive.packages.map(({ file }) => file), ...source].reduce((sum, { size }) => sum + size, 0);
  t.equal(after.bytes - before.bytes, bytes);
  await mirror.down();
  const got = await apt.download(...names);
  t.same(downloaded(got), hashesOf(archive, ...names), got.output);
  const sources = await apt.source('src');
  t.equal(sources.code, 0, sources.output);
  t.equal(readdirSync(join(daemon.cacheDir, 'seeded')).length, 0, 'its notes are taken');
  t.equal(readdirSync(join(daemon.cacheDir, 'partial')).filter((name) => name.startsWith('seed')).length, 0);

  const again = await seed(scene, join(archive.root, 'debian/pool'));
  t.equal(again.code, 0);
  t.match(again.stdout, `took 0 files (0 linked, 0 copied), 0 B\n${count} files were there already\n`);
});

t.test(
  "APT's archive cache, with an epoch in names, into a daemon that stands still",
  { skip: skipWithoutApt },
  async (t) => {
    const scene = await Scene.start(t, { state: { add: [{ name: 'epoch', version: '2:1.0-1' }, { name: 'plain' }] } });
    const { archive, daemon, mirror } = scene;
    const direct = scene.apt('direct');
    t.equal((await direct.update()).code, 0);
    t.equal((await direct.installDownloadOnly('epoch', 'plain')).files.length, 2);
    await scene.adopt();
    t.equal((await daemon.stop()).code, 0);
    const seeded = await seed(scene, '--verbose', join(direct.root, 'cache/archives'));
    t.equal(seeded.code, 0, seeded.output);
    t.match(
      seeded.stdout,
      /took 2 files \(2 linked, 0 copied\)[^]*1 file of other kinds left alone/,
      'the lock is other',
    );
    await mirror.down();
    await daemon.start();
    for (const name of ['epoch', 'plain']) t.ok(isWhole(await scene.get(archive.file(name).path), archive.file(name)));
  },
);

t.test('what cannot be used is named with the reason', { skip: skipWithoutApt }, async (t) => {
  const scene = await start(t);
  const { archive, daemon } = scene;
  await scene.adopt();
  const dir = t.testdir({ in: {}, out: {} });
  const put = (name: string, as: string, change: (data: Buffer) => Buffer = (data) => data): void =>
    writeFileSync(join(dir, as), change(archive.read(archive.file(name).path)));
  const base = (name: string): string => archive.file(name).path.replace(/^.*\//, '');
  put('pkg0', `in/${base('pkg0')}`);
  put('pkg1', `in/${base('pkg1')}`, (data) => data.fill('x', 100, 200));
  put('pkg2', `in/${base('pkg2')}`, (data) => data.subarray(1));
  put('pkg3', 'in/renamed.deb');
  put('pkg4', 'out/elsewhere.deb');
  put('pkg5', `in/${base('pkg5')}`);
  chmodSync(join(dir, 'in', base('pkg5')), 0o666);
  writeFileSync(join(dir, 'in/unknown_1_all.deb'), 'unknown');
  writeFileSync(join(dir, 'in/notes.txt'), 'other');
  symlinkSync('../out/elsewhere.deb', join(dir, 'in/link.deb'));
  symlinkSync('../out', join(dir, 'in/more'));
  symlinkSync('renamed.deb', join(dir, 'in/inner.deb'));
  const { code, stdout } = await seed(scene, join(dir, 'in'));
  t.equal(code, 0, stdout);
  t.match(stdout, /took 3 files \(2 linked, 1 copied\)/, 'what anybody can write to is copied');
  t.match(stdout, /5 files could not be used:/);
  t.match(stdout, new RegExp(`hash differs: 1 file\n +.*${base('pkg1')}`));
  t.match(stdout, new RegExp(`size differs: 1 file\n +.*${base('pkg2')}`));
  t.match(stdout, /not in the catalogue: 1 file\n +.*unknown_1_all.deb/);
  t.match(stdout, /symlink: 2 files\n +.*link.deb\n +.*more/);
  t.match(stdout, /1 file of other kinds left alone/);
  for (const name of ['pkg0', 'pkg3', 'pkg5'])
    t.ok(isWhole(await scene.get(archive.file(name).path), archive.file(name)));
  for (const name of ['pkg1', 'pkg2', 'pkg4']) {
    t.throws(() => statSync(cached(scene, archive.file(name).sha256)), { code: 'ENOENT' }, name);
  }
  const nothing = await seed(scene, join(dir, 'in/unknown_1_all.deb'));
  t.equal(nothing.code, 1, 'nothing could be used');
  const few = t.testdir(Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`u${n}.deb`, 'x'])));
  t.match((await seed(scene, few)).stdout, 'and 5 more (--verbose names all)');
  t.notMatch((await seed(scene, few, '--verbose')).stdout, 'more');
  t.equal(daemon.running, true);
});

t.test(
  'a linked file that its owner alters later is found out and fetched again',
  { skip: skipWithoutApt },
  async (t) => {
    const scene = await start(t);
    const { archive, daemon, mirror } = scene;
    await scene.adopt();
    const file = archive.file('pkg0');
    const mine = join(t.testdir(), 'mine.deb');
    cpSync(join(archive.root, 'debian', file.path), mine);
    const { mtimeMs, ino } = statSync(mine);
    t.equal((await seed(scene, mine)).code, 0);
    t.equal(statSync(cached(scene, file.sha256)).ino, ino);
    const fd = openSync(mine, 'r+');
    writeSync(fd, Buffer.alloc(50, 'x'), 0, 50, 5_000);
    closeSync(fd);
    utimesSync(mine, mtimeMs / 1000, mtimeMs / 1000);
    const answer = await scene.get(file.path);
    t.ok(isWhole(answer, file), 'the right bytes, although size and modification time are as they were');
    t.equal(mirror.requests(archive.url(file.path)).length > 0, true, 'from the mirror');
    await until('the cache has its own file', () => {
      const found = statSync(cached(scene, file.sha256), { throwIfNoEntry: false });
      return found !== undefined && found.ino !== ino;
    });
    await until('the log says so', () => daemon.logged('has changed on disk').length === 1);
  },
);

t.test('a seeded file is served without being hashed once more', { skip: skipWithoutApt }, async (t) => {
  const scene = await start(t);
  const { archive, daemon } = scene;
  await scene.adopt();
  const file = archive.file('pkg0');
  t.equal((await seed(scene, join(archive.root, 'debian', file.path))).code, 0);
  const verified = (): Record<string, string> =>
    JSON.parse(readFileSync(join(daemon.cacheDir, 'verified.json'), 'utf8')) as Record<string, string>;
  t.equal((await daemon.status()).cache.files > 0, true);
  await daemon.stop();
  const { ino, size } = statSync(cached(scene, file.sha256));
  t.match(verified()[file.sha256], `${ino}:${size}:`, 'the store took the note over');
});

t.test('the quota is kept', { skip: skipWithoutApt }, async (t) => {
  const scene = await start(t);
  await scene.adopt();
  const used = (await scene.daemon.status()).cache.bytes;
  const { size } = scene.archive.file('pkg0');
  const limit = String(used + 3 * size + 2_000);
  const { code, stdout } = await seed(scene, '--cache-size', limit, join(scene.archive.root, 'debian/pool'));
  t.equal(code, 1, stdout);
  t.match(stdout, /took 3 files/);
  t.match(stdout, /no room: \d+ files/);
});

t.test('files in many notes are all counted', { skip: skipWithoutApt }, async (t) => {
  const many = Array.from({ length: 700 }, (_, n) => ({ name: `m${n}`, size: 10 }));
  const scene = await Scene.start(t, { state: { add: many } });
  await scene.adopt();
  const before = (await scene.daemon.status()).cache.files;
  t.equal((await seed(scene, join(scene.archive.root, 'debian/pool'))).code, 0);
  await until('they are counted', async () => (await scene.daemon.status()).cache.files - before === many.length);
  t.pass();
});

t.test('a daemon of another user gets files that it can read', { skip: skipWithoutApt || notRoot() }, async (t) => {
  const scene = await start(t);
  const { archive, daemon } = scene;
  await scene.adopt();
  await daemon.stop();
  const nobody = 65_534;
  await run('chown', ['-R', String(nobody), daemon.cacheDir]);
  const dir = t.testdir();
  const put = (name: string, mode: number): string => {
    const path = join(dir, `${name}.deb`);
    writeFileSync(path, archive.read(archive.file(name).path));
    chmodSync(path, mode);
    return path;
  };
  const { code, stdout } = await seed(scene, put('pkg0', 0o644), put('pkg1', 0o600));
  t.equal(code, 0, stdout);
  t.match(stdout, /took 2 files \(1 linked, 1 copied\)/);
  t.match(statSync(cached(scene, archive.file('pkg0').sha256)), { uid: 0, nlink: 2 });
  t.match(statSync(cached(scene, archive.file('pkg1').sha256)), { uid: nobody, nlink: 1 });
  t.equal(statSync(join(daemon.cacheDir, 'seeded')).uid, nobody);
});

t.test('arguments and caches that are wrong', { skip: skipWithoutApt }, async (t) => {
  const dir = t.testdir();
  const cli = (...args: string[]) => run(process.execPath, [MAIN, 'seed', ...args]);
  t.match(await cli(), { code: 2, output: /^debtorrent: seed: '' is not a file/ });
  t.match(await cli('/nonexistent', '--cache-dir', dir), {
    code: 2,
    output: /'\/nonexistent' cannot be read \(ENOENT\)\n$/,
  });
  t.match(await cli(dir, '--cache-dir', join(dir, 'none')), { code: 1, output: /^debtorrent: the cache in .*\n$/ });
  for (const name of ['files', 'partial', 'catalogue']) mkdirSync(join(dir, name));
  t.match(await cli(dir, '--cache-dir', dir), { code: 1, output: /knows no index; let APT update/ });
});

t.test('killed in the middle, it leaves nothing wrong behind', { skip: skipWithoutApt }, async (t) => {
  const scene = await start(t);
  const { archive, daemon } = scene;
  await scene.adopt();
  const child = spawnMain(['seed', '--cache-dir', daemon.cacheDir, join(archive.root, 'debian/pool')]);
  const ended = once(child, 'exit');
  await until('one is there', () => names.some((name) => exists(cached(scene, archive.file(name).sha256))));
  child.kill('SIGKILL');
  await ended;
  for (const name of names) t.ok(isWhole(await scene.get(archive.file(name).path), archive.file(name)), name);
  await daemon.stop();
  await daemon.start();
  t.equal(readdirSync(join(daemon.cacheDir, 'partial')).length, 0);
});

t.test(
  'interrupted, it finishes what it has begun; leftovers of a killed one go',
  { skip: skipWithoutApt },
  async (t) => {
    const scene = await Scene.start(t, { state: { add: names.map((name) => ({ name, size: 4_000_000 })) } });
    const { archive, daemon } = scene;
    await scene.adopt();
    const partial = join(daemon.cacheDir, 'partial');
    writeFileSync(join(partial, 'seed-999999999-0'), 'left');
    writeFileSync(join(partial, `seed-${process.pid}-0`), 'of one that runs');
    const child = spawnMain(['seed', '--cache-dir', daemon.cacheDir, join(archive.root, 'debian/pool')]);
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const closed = once(child, 'close');
    await until('one is there', () => names.some((name) => exists(cached(scene, archive.file(name).sha256))));
    child.kill('SIGINT');
    const [code] = (await closed) as [number];
    const taken = Number(/^took (\d+) file/.exec(output)?.[1]);
    t.equal(taken, names.filter((name) => exists(cached(scene, archive.file(name).sha256))).length);
    // It may have been through before the signal came.
    if (taken < names.length) t.match({ code, output }, { code: 1, output: /interrupted/ });
    t.strictSame(readdirSync(partial), [`seed-${process.pid}-0`]);
  },
);

t.test('on a terminal it shows how far it is', { skip: skipWithoutApt || notRoot() }, async (t) => {
  const scene = await start(t);
  await scene.adopt();
  const pool = join(scene.archive.root, 'debian/pool');
  const command = [process.execPath, MAIN, 'seed', '--cache-dir', scene.daemon.cacheDir, pool].join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number];
  t.equal(code, 0);
  t.match(output, /\r\[#*\.*\] +\d+% {2}\d+ of \d+ files/);
  t.ok(output.includes('\r\x1b[Ktook '), 'and the line makes room for the report');
});

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function notRoot(): string | false {
  return process.geteuid?.() !== 0 && 'only root can do this';
}
