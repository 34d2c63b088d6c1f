/** Preferences that go by the host: setup leaves those sources, since APT would take their host for the daemon's. */
import { mkdirSync, symlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { aptPaths } from '../../../src/commands/setup/apt-paths.ts';
import { originPins, pinThatDiffers } from '../../../src/commands/setup/origin-pins.ts';
import { RootedFiles } from '../../../src/commands/setup/rooted-files.ts';
import { skipWithout } from '../../support/process.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const D = 'debtorrent://localhost:9988';
const HOST = 'ftp.uk.debian.org';
const PIN = (name: string) => `Package: *\nPin: origin ${name}\nPin-Priority: 90\n`;

/** Whether setup would keep hands off a source of the host. */
function differs(t: Test, machine: Machine): boolean {
  const files = new RootedFiles(machine.root);
  t.teardown(() => files.close());
  return pinThatDiffers(originPins(files, aptPaths(machine.root, machine.env())), HOST, 'localhost') !== undefined;
}

/** A machine that knows one package from the mirror, and from the mirror through the daemon. */
function twoSources(t: Test): Machine {
  const sources = ['http://', `${D}/`].map((front) => `deb [trusted=yes] ${front}${HOST}/debian sid main\n`);
  const machine = new Machine(t, { 'etc/apt/sources.list': sources.join(''), 'usr/lib/apt/methods/debtorrent': '' });
  const release = 'Origin: Debian\nCodename: sid\nDate: Thu, 26 Nov 2026 00:00:00 UTC\nArchitectures: amd64\n';
  const index =
    'Package: p\nVersion: 1\nArchitecture: amd64\nMaintainer: m\nFilename: p.deb\nSize: 1\nDescription: d\n\n';
  for (const site of [HOST, `localhost:9988_${HOST}`]) {
    machine.write(`var/lib/apt/lists/${site}_debian_dists_sid_Release`, release);
    machine.write(`var/lib/apt/lists/${site}_debian_dists_sid_main_binary-amd64_Packages`, index);
  }
  return machine;
}

const PREFERENCES = [
  ...['', '"', '*', '"*"', '*.debian.org', '"*.DEBIAN.org"', 'd?b.[d]ebian.org', 'debian', '*.[!a]*', '[^d]*'].map(
    (name) => PIN(name === '' ? HOST : name === '"' ? `"${HOST}"` : name),
  ),
  ...['/debian/', '/DEB\\.debian/', '/^deb\\.d/', '/^debian/', '/l{1}ocal/', '""', 'localhost', '/', `${HOST} #`].map(
    PIN,
  ),
  ...['d\\eb.debian.org', '[]d]eb.debian.org', '/^(deb|ftp)[.]/', '/[[:digit:]]/', 'de[[:alpha:]].debian.org'].map(PIN),
  `#c\n\n# c\nExplanation: x\npackage: *\n#c\npin:   Origin   ${HOST}  \npin-priority: 90\n`,
  `Package: *\nPin:\n origin\n  ${HOST}\nPin-Priority: 90\n`,
  PIN(HOST).replaceAll('\n', '\r\n'),
  `Package: *\nPin: release o=Debian\nPin-Priority: 90\n\n${PIN('ftp.debian.org')}`,
  `Package: p\nPin: release o=Other\nPin-Priority: 90\n\n${PIN(HOST)}`,
  `Package: p\n#Pin: origin ${HOST}\nPin: version 7\nPin-Priority: 90\n`,
];

t.test('APT gives another priority exactly where setup says so', { skip: skipWithout('apt-cache') }, async (t) => {
  const machine = twoSources(t);
  for (const preferences of PREFERENCES) {
    machine.write('etc/apt/preferences', preferences);
    const { stdout, output } = await machine.apt('apt-cache', 'policy');
    const priority = (front: string) => new RegExp(`^ *(-?\\d+) ${front}`, 'm').exec(stdout)?.[1] ?? output;
    const changes = priority('http:') !== priority('debtorrent:');
    const told = differs(t, machine);
    if (preferences.includes('[:')) t.ok(told, `rather left: ${preferences}`);
    else t.equal(told, changes, `${preferences}${stdout}`);
  }
});

t.test('files of preferences are those that APT reads', { skip: skipWithout('apt-cache') }, async (t) => {
  for (const name of ['preferences', 'preferences.d/x', 'preferences.d/a.b.pref', 'preferences.d/x.bak', 'other']) {
    const machine = twoSources(t);
    mkdirSync(machine.path('etc/apt/preferences.d/directory'));
    machine.write(`etc/apt/${name}`, PIN(HOST));
    const { stdout } = await machine.apt('apt-cache', 'policy');
    t.equal(differs(t, machine), / 90 http:/.test(stdout), name);
  }
  const machine = twoSources(t);
  machine.write('etc/apt/apt.conf.d/1', 'Dir::Etc::preferences "own"; Dir::Etc::preferencesparts "own.d";\n');
  symlinkSync('/dev/null', machine.path('etc/apt/own'));
  t.notOk(differs(t, machine));
  machine.write('etc/apt/own.d/x', PIN(HOST));
  t.ok(differs(t, machine));
});

t.test('setup leaves pinned sources, says why, and turns them back when the pin comes later', async (t) => {
  const machine = new Machine(t, {
    'etc/apt/sources.list': `deb http://${HOST}/debian sid main\ndeb http://ftp.debian.org/debian sid main\n`,
    'etc/apt/sources.list.d/d.list': `deb http://localhost:9988/${HOST}/debian sid main\n`,
  });
  const first = await machine.setup('--yes');
  t.equal(first.code, 0, first.output);
  t.match(machine.read('etc/apt/sources.list'), `deb ${D}/${HOST}/debian`);
  machine.write('etc/apt/preferences.d/x', PIN(HOST).replace('90', '-1'));
  const done = await machine.command('--yes');
  t.equal(done.code, 0, done.output);
  const file = machine.path('etc/apt/preferences.d/x');
  t.match(
    done.stdout,
    `${machine.path('etc/apt/sources.list')}, line 1: http://${HOST}/debian: its priority would change, as ${file} goes by the host (Pin: origin ${HOST}); setup --proxy leaves hosts as they are\n`,
  );
  t.equal(
    machine.read('etc/apt/sources.list'),
    `deb http://${HOST}/debian sid main\ndeb ${D}/ftp.debian.org/debian sid main\n`,
  );
  t.match(machine.read('etc/apt/sources.list.d/d.list'), `deb ${D}/${HOST}/`, 'its host was the daemon already');
  machine.write('etc/apt/preferences.d/y', PIN('localhost'));
  await machine.setup('--yes');
  t.match(machine.read('etc/apt/sources.list'), 'deb http://ftp.debian.org/debian', 'nor does a pin come to hold');
});
