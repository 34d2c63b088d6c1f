/** Sources that name a list of mirrors on this machine, as those of Debian's images for clouds do: setup writes the list. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { MAIN } from '../../support/daemon.ts';
import { run, skipWithout, skipWithoutApt } from '../../support/process.ts';
import { Scene } from '../../support/scene.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const D = 'debtorrent://localhost:9988';
const SOURCES = 'etc/apt/sources.list.d/debian.sources';
const LIST = 'etc/apt/mirrors/debian.list';
const SECURITY = 'etc/apt/mirrors/debian-security.list';
const FILES = {
  [SOURCES]: [
    'Types: deb deb-src',
    'URIs: mirror+file:///etc/apt/mirrors/debian.list',
    'Suites: trixie trixie-updates',
    'Components: main',
    '',
    'Types: deb',
    'URIs: mirror+file:/etc/apt/mirrors/debian-security.list mirror+file:/etc/apt/mirrors/none.list',
    'Suites: trixie-security',
    'Components: main',
    '',
  ].join('\n'),
  [LIST]: '# deb http://ftp.uk.debian.org/ is no source here\nhttps://ftp.uk.debian.org/debian\n',
  [SECURITY]:
    'http://security.debian.org/debian-security/\tpriority:1 arch:amd64\r\nhttp://mirror.example.org/x\tpriority:2\n',
  'etc/apt/preferences': 'Package: *\nPin: origin ftp.uk.debian.org\nPin-Priority: 900\n',
};

const UNDO = {
  'setup --undo': (machine: Machine) => machine.setup('--undo'),
  ...(skipWithout('perl') === false && {
    'setup-undo': (machine: Machine) => run('/usr/bin/perl', [join(dirname(MAIN), 'setup-undo'), machine.root]),
  }),
};

for (const [name, undo] of Object.entries(UNDO)) {
  t.test(`the mirrors change, and come back with ${name}`, async (t) => {
    const machine = new Machine(t, FILES);
    const before = machine.snapshot();
    const done = await machine.setup('--yes');
    t.equal(done.code, 0, done.output);
    t.equal(machine.read(SOURCES), FILES[SOURCES]);
    t.equal(machine.read(LIST), FILES[LIST].replace('\nhttps://', `\n${D}/HTTPS///`));
    t.equal(machine.read(SECURITY), FILES[SECURITY].replace('http://sec', `${D}/sec`));
    t.match(done.output, /line 2: http:\/\/mirror.example.org\/x: .* not an allowed mirror/);
    t.match(done.output, /line 7: mirror\+file:\S+none.list: mirror\+file: is neither/, 'a list that is not there');
    t.notMatch(done.output, /debian(?:-security)?\.list: mirror/);
    t.match(await machine.setup('--yes'), { code: 0, output: /nothing to change/ });
    const undone = await undo(machine);
    t.equal(undone.code, 0, undone.output);
    t.same(machine.snapshot(), before);
  });

  t.test(`${name} where the journal is lost`, async (t) => {
    const machine = new Machine(t, FILES);
    t.equal((await machine.setup('--yes')).code, 0);
    rmSync(machine.path('var/lib/debtorrent-setup'), { recursive: true });
    const undone = await undo(machine);
    t.equal(undone.code, 0, undone.output);
    for (const path of [LIST, SECURITY] as const) t.equal(machine.read(path), FILES[path]);
  });
}

const HOME = 'home/somebody';
/** What others can do to the list, or to what leads to it. */
const OTHERS: Readonly<Record<string, (machine: Machine) => void>> = {
  'write it': (machine) => chmodSync(machine.path(LIST), 0o646),
  'put another in its place': (machine) => chmodSync(dirname(machine.path(LIST)), 0o777),
  'do that where it really is': (machine) => {
    mkdirSync(machine.path(HOME), { recursive: true });
    chmodSync(machine.path(HOME), 0o777);
    renameSync(machine.path(LIST), machine.path(`${HOME}/list`));
    symlinkSync(`../../../${HOME}/list`, machine.path(LIST));
  },
  'do that where it is looked for': (machine) => {
    mkdirSync(machine.path(HOME), { recursive: true });
    symlinkSync('../../etc/apt/mirrors', machine.path(`${HOME}/mirrors`));
    chmodSync(machine.path(HOME), 0o777);
    machine.write(SOURCES, FILES[SOURCES].replaceAll('/etc/apt/mirrors', `/${HOME}/mirrors`));
  },
};

for (const [what, does] of Object.entries(OTHERS)) {
  t.test(
    `a list is left alone where others than root can ${what}: it may be another file when it is written`,
    async (t) => {
      const machine = new Machine(t, FILES);
      does(machine);
      const done = await machine.setup('--yes');
      t.equal(done.code, 0, done.output);
      t.match(done.output, /debian\.list: others than root can write there: it is left as it is/);
      t.match(done.output, /debian\.list: mirror\+file: is neither/);
      t.equal(machine.read(LIST), FILES[LIST]);
      machine.write('etc/apt/sources.list', `deb ${D}/ftp.uk.debian.org/debian sid main\n`);
      writeFileSync(machine.path(LIST), `${D}/ftp.uk.debian.org/debian\n`);
      for (const undo of Object.values(UNDO)) t.match(await undo(machine), { code: 0 });
      t.equal(machine.read(LIST), `${D}/ftp.uk.debian.org/debian\n`);
      t.equal(machine.read('etc/apt/sources.list'), 'deb http://ftp.uk.debian.org/debian sid main\n');
    },
  );
}

t.test('APT updates and downloads by it', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state: { add: [{ name: 'one' }, { name: 'two' }] } });
  const { daemon, keys, mirror } = scene;
  const machine = new Machine(t, { [LIST]: `${mirror.url}/debian\n` }).withMethods();
  const list = machine.path(LIST);
  machine.write('etc/apt/sources.list', `deb [signed-by=${keys.keyring}] mirror+file:${list} trixie main\n`);
  // APT here has no root of its own, other than setup: the same name leads to the same file from inside
  mkdirSync(machine.path(dirname(list)), { recursive: true });
  symlinkSync(`/${LIST}`, machine.path(list));
  const done = await machine.setup('--yes', '--listen', daemon.ready.http, '--allow-mirror', mirror.host);
  t.equal(done.code, 0, done.output);
  const updated = await machine.apt('apt-get', 'update');
  t.equal(updated.code, 0, updated.output);
  t.match(updated.output, `Get:2 debtorrent://localhost:${daemon.port}/${mirror.host}/debian trixie InRelease`);
  const got = await machine.apt('apt-get', '-qy', 'install', '--download-only', 'one', 'two');
  t.equal(got.code, 0, got.output);
  await daemon.kill9();
  const without = await machine.apt('apt-get', 'update');
  t.equal(without.code, 0, without.output);
  t.match(without.output, `${mirror.url}/debian trixie InRelease`);
});
