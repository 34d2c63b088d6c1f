/** Sources: APT names their files by where it runs, not by a whole path as it does for everything else. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { skipWithout, skipWithoutApt } from '../support/process.ts';
import { downloaded, Scene } from '../support/scene.ts';
import { FakeDaemon } from './fixtures/fake-daemon.ts';
import { MethodProcess } from './fixtures/method-process.ts';

t.setTimeout(600_000);

const state = { add: [{ name: 'hello' }], sources: [{ name: 'hello', size: 1_200_000 }, { name: 'small' }] };

t.test('apt-get source through the method', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state });
  const apt = scene.apt('method', { source: true });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  const got = await apt.source('hello', 'small');
  t.equal(got.code, 0, got.output);
  const hashes = scene.archive.sources.flatMap(({ files }) => files.map(({ sha256 }) => sha256));
  t.same(downloaded(got), hashes.toSorted(), got.output);
  t.match(got.output, /^Get:\d+ debtorrent:\/\//m, 'through the method');
});

const skipNotRoot = process.getuid?.() === 0 ? skipWithout('perl', 'getent') : 'not root';

t.test('the folder need not be within reach from the root of the file system', { skip: skipNotRoot }, async (t) => {
  const closed = mkdtempSync(join(tmpdir(), 'dt-method-'));
  const folder = join(closed, 'open');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const daemon = await FakeDaemon.start();
  const method = new MethodProcess({ cwd: folder });
  t.teardown(async () => {
    await method.close();
    await daemon.close();
    rmSync(closed, { recursive: true, force: true });
  });
  const data = Buffer.from('a source, more or less');
  daemon.serve('/mirror.example/hello_1.dsc', data);
  const uri = daemon.uri('/mirror.example/hello_1.dsc');
  method.configure({ 'APT::Sandbox::User': 'nobody' });
  method.acquire({ URI: uri, Filename: 'hello_1.dsc' });
  const done = await method.answer(uri);
  t.equal(done.code, 201, `${done.get('Message')}`);
  t.equal(done.get('Filename'), 'hello_1.dsc', 'by the name that APT knows');
  t.ok(readFileSync(join(folder, 'hello_1.dsc')).equals(data));
  t.not(statSync(join(folder, 'hello_1.dsc')).uid, 0);
});
