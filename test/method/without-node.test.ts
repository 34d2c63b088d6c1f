/** nodejs was removed while sources name the method: APT fetches from the mirrors themselves, nodejs for one. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';

import { LAUNCHER } from '../../scripts/support/apt-methods.ts';
import { field } from '../../src/core/method/apt-message.ts';
import { parseDebtorrentUri } from '../../src/core/method/debtorrent-uri.ts';
import { skipWithout, skipWithoutApt } from '../support/process.ts';
import { downloaded, hashesOf, Scene } from '../support/scene.ts';
import { MethodProcess } from './fixtures/method-process.ts';

t.setTimeout(600_000);

const env = { DEBTORRENT_NODE: 'no-such-node' };
const skipWithoutPerl = skipWithout('perl');

function start(t: { teardown(step: () => unknown): void }): MethodProcess {
  const method = new MethodProcess({ env });
  t.teardown(() => method.close());
  return method;
}

function directly(uri: string, encoded: boolean): string | undefined {
  try {
    return parseDebtorrentUri(uri, encoded).direct;
  } catch {
    return undefined;
  }
}

t.test('apt-get updates and fetches, with one warning each', { skip: skipWithoutPerl || skipWithoutApt }, async (t) => {
  const names = Array.from({ length: 40 }, (_, n) => `pkg${n}`);
  const scene = await Scene.start(t, { state: { add: names.map((name) => ({ name })) } });
  const apt = scene.apt('method', { env });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  const got = await apt.installDownloadOnly(...names);
  t.same(downloaded(got), hashesOf(scene.archive, ...names), got.output);
  t.match(got.output, /^Get:\d+ http:\/\//m, 'from the mirror');
  for (const { output } of [updated, got]) {
    t.same(output.match(/^.*no-such-node.*$/gm), [
      'W: debtorrent: no-such-node cannot be started (No such file or directory), files come from the mirror directly',
    ]);
  }
});

t.test('a checkout that is not built is no program either', { skip: skipWithoutPerl }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'dt-unbuilt-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  cpSync(dirname(LAUNCHER), join(directory, 'bin'), { recursive: true });
  const method = new MethodProcess({ env: { DEBTORRENT_NODE: process.execPath, DEBTORRENT_ROOT: directory } });
  t.teardown(() => method.close());
  method.configure();
  const uri = 'debtorrent://localhost/mirror.example/debian/pool/a.deb';
  method.acquire({ URI: uri, Filename: '/nowhere/a.deb' });
  t.equal((await method.answer(uri)).get('New-URI'), 'http://mirror.example/debian/pool/a.deb');
  const warnings = method.said.filter(({ code }) => code === 104).map((each) => field(each, 'message'));
  t.same(warnings, [`${directory}/dist/program/method/main.js is not there, files come from the mirror directly`]);
});

t.test('it says where a file is as the method does that Node runs', { skip: skipWithoutPerl }, async (t) => {
  for (const encoded of [true, false]) {
    const method = start(t);
    method.configure({ 'Acquire::Send-URI-Encoded': encoded ? '1' : '0' });
    for (const uri of [
      'debtorrent://localhost:9988/mirror.example/debian/pool/a_1%2b1~x.deb',
      'debtorrent://localhost:9988/mirror.example/debian/pool/a b+c#d"é.deb',
      'debtorrent://localhost/mirror.example:8080/',
      'debtorrent://[::1]:9988/[2001:db8::1]:80/a',
      'debtorrent://127.0.0.1/HTTPS///mirror.example/a',
      'debtorrent://127.0.0.1/https///mirror.example/a',
      'debtorrent://127.0.0.1/mirror.example/HTTPS///b/a?b=c&d',
      'debtorrent://127.0.0.1/mirror.example',
      'debtorrent://127.0.0.1/HTTPS//mirror.example/a',
      'debtorrent://user:secret@127.0.0.1/mirror.example/a',
      'debtorrent://127.0.0.1/a@mirror.example/a',
      'debtorrent:///mirror.example/a',
      'http://127.0.0.1/mirror.example/a',
    ]) {
      method.acquire({ URI: uri, Filename: '/nowhere' });
      t.equal((await method.answer(uri)).get('New-URI'), directly(uri, encoded), uri);
    }
    method.child.stdin?.end();
    t.equal(await method.exited, 0);
    t.equal(method.said.filter(({ code }) => code === 104).length, 1, 'one warning');
  }
});

t.test('who only tries the method is told that it does not work', { skip: skipWithoutPerl }, async (t) => {
  const method = start(t);
  method.configure();
  method.child.stdin?.end();
  await method.wait(({ code }) => code === 401);
  t.equal(await method.exited, 112);
  t.same(
    method.said.map(({ code }) => code),
    [100, 401],
  );
});

const skipNotRoot = process.getuid?.() === 0 ? skipWithout('perl', 'getent') : 'not root';

t.test('it gives up the rights of root all the same', { skip: skipNotRoot }, async (t) => {
  const [uid, gid] = execFileSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).split(':').slice(2, 4);
  const method = start(t);
  const uri = 'debtorrent://localhost/mirror.example/a';
  method.configure({ 'APT::Sandbox::User': 'nobody' });
  method.acquire({ URI: uri, Filename: '/nowhere' });
  t.equal((await method.answer(uri)).get('New-URI'), 'http://mirror.example/a');
  const status = readFileSync(`/proc/${method.child.pid}/status`, 'utf8');
  t.match(status, new RegExp(String.raw`^Uid:\t${uid}\t${uid}\t`, 'm'));
  t.match(status, new RegExp(String.raw`^Groups:\t${gid} *$`, 'm'));
  t.match(status, /^CapEff:\t0+$/m);
});
