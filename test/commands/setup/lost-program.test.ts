/** The checkout that setup was run from is gone, and undo with it: APT fetches from the mirrors themselves. */
import { dirname } from 'node:path';
import t from 'tap';
import { AptMessageReader, field } from '../../../src/core/method/apt-message.ts';
import { parseDebtorrentUri } from '../../../src/core/method/debtorrent-uri.ts';
import { CAPABILITIES } from '../../../src/method/main.ts';
import { MAIN } from '../../support/daemon.ts';
import { run, skipWithoutApt } from '../../support/process.ts';
import { Scene } from '../../support/scene.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const METHOD = 'usr/lib/apt/methods/debtorrent';
const GONE = '/nowhere/DebTorrent of "somebody"';

function loseProgram(machine: Machine): void {
  machine.write(METHOD, machine.read(METHOD).replaceAll(dirname(dirname(MAIN)), GONE), 0o755);
}

t.test('apt-get updates and fetches, with one warning each', { skip: skipWithoutApt }, async (t) => {
  const { archive, daemon, keys, mirror } = await Scene.start(t, {
    state: { add: [{ name: 'one' }, { name: 'two' }] },
  });
  const machine = new Machine(t, {
    'etc/apt/sources.list': `deb [signed-by=${keys.keyring}] ${mirror.url}/debian trixie main\n`,
  }).withMethods();
  const done = await machine.setup('--yes', '--listen', daemon.ready.http, '--allow-mirror', mirror.host);
  t.equal(done.code, 0, done.output);
  loseProgram(machine);
  for (const args of [['update'], ['-y', 'install', '--download-only', 'one', 'two']]) {
    const { code, output } = await machine.apt('apt-get', ...args);
    t.equal(code, 0, output);
    t.same(output.match(/^[WE]: .*$/gm), [
      `W: debtorrent: ${GONE}/bin/apt-method cannot be read, files come from the mirror directly`,
    ]);
  }
  t.equal(mirror.requests(archive.url(archive.file('two').path)).length, 1);
  t.equal((await daemon.status()).totals['requests'] ?? 0, 0);
});

t.test('it says the same of a file as the method that is lost', async (t) => {
  const machine = new Machine(t, { 'etc/apt/sources.list': 'deb http://ftp.de.debian.org/debian sid main\n' });
  t.equal((await machine.setup('--yes')).code, 0);
  loseProgram(machine);
  const uris = [
    'debtorrent://localhost:9988/mirror.example/debian/pool/a_1%2b1~x%20y.deb',
    'debtorrent://localhost/mirror.example:8080/',
    'debtorrent://[::1]:9988/[2001:db8::1]:80/a',
    'debtorrent://127.0.0.1/HTTPS///mirror.example/a',
    'debtorrent://127.0.0.1/https///mirror.example/a%5cn',
    'debtorrent://127.0.0.1/mirror.example/HTTPS///b/a?b=c&d',
  ];
  const asked = uris.map((uri) => `600 URI Acquire\nURI: ${uri}\nFilename: /x\n\n`);
  const input = `601 Configuration\nConfig-Item: Acquire::Send-URI-Encoded=1\n\n${asked.join('')}`;
  const { code, stdout } = await run(machine.path(METHOD), [], { input });
  t.equal(code, 0);
  t.ok(stdout.startsWith(CAPABILITIES));
  const answers = new AptMessageReader().push(stdout).filter((message) => message.code === 103);
  t.same(
    answers.map((message) => [field(message, 'uri'), field(message, 'new-uri')]),
    uris.map((uri) => [uri, parseDebtorrentUri(uri, true).direct]),
  );
});
