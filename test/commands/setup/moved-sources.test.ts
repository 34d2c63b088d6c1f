/** Sources that moved to other files after setup, as `apt modernize-sources` moves them: APT never names a lost method. */
import { renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { MAIN } from '../../support/daemon.ts';
import { run, skipWithout } from '../../support/process.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const skip = skipWithout('apt-get', 'perl');
const D = 'debtorrent://localhost:9988';
const LIST = 'etc/apt/sources.list';
const MODERN = 'etc/apt/sources.list.d/debian.sources';
const OWN = 'etc/apt/sources.list.d/own.list';
const FILES = {
  [LIST]: [
    'deb http://ftp.de.debian.org/debian trixie main',
    'deb https://security.debian.org/debian-security/ trixie-security main',
    '',
  ].join('\n'),
};
const RELEASES = [
  'http://ftp.de.debian.org/debian/dists/trixie/InRelease',
  'https://security.debian.org/debian-security/dists/trixie-security/InRelease',
];

/** Where APT would look, if it finds the methods for it. */
const inReleases = async (machine: Machine): Promise<string[]> =>
  (await machine.releases()).filter((uri) => uri.endsWith('/InRelease'));

/** What APT 3 writes: all addresses end with a slash, whether they did or not. */
const modern = (machine: Machine): string =>
  `# Modernized from /etc/apt/sources.list\n${machine
    .read(LIST)
    .replaceAll(/^deb (\S*?)\/? (\S+) (\S+)$/gm, 'Types: deb\nURIs: $1/\nSuites: $2\nComponents: $3\n')}`;

function modernize(machine: Machine): void {
  machine.write(MODERN, modern(machine));
  renameSync(machine.path(LIST), machine.path(`${LIST}.bak`));
}

const UNDO = {
  'setup --undo': (machine: Machine) => machine.setup('--undo'),
  'setup-undo': (machine: Machine) => run('/usr/bin/perl', [join(dirname(MAIN), 'setup-undo'), machine.root]),
};

/** Does something to a machine that is set up, then takes setup back in either way. */
async function goesBack(t: Test, work: (machine: Machine) => unknown): Promise<void> {
  for (const [name, undo] of Object.entries(UNDO)) {
    const machine = new Machine(t, FILES).withMethods();
    t.equal((await machine.setup('--yes')).code, 0);
    await work(machine);
    const undone = await undo(machine);
    t.equal(undone.code, 0, undone.output);
    t.same(await inReleases(machine), RELEASES, name);
    if (name === 'setup --undo') t.notMatch(undone.stdout, 'left at the daemon');
  }
}

t.test('apt modernize-sources, then undo', { skip }, async (t) => {
  await goesBack(t, (machine) => {
    modernize(machine);
    t.match(machine.read(MODERN), `URIs: ${D}/ftp.de.debian.org/debian/\n`);
  });
});

t.test('setup once more in between still knows where addresses came from', { skip }, async (t) => {
  await goesBack(t, async (machine) => {
    modernize(machine);
    const again = await machine.setup('--yes');
    t.equal(again.code, 0, again.output);
    t.match(
      machine.read(MODERN),
      `URIs: ${D}/HTTPS///security.debian.org/debian-security/\n`,
      'at the daemon as before',
    );
  });
});

t.test('setup --proxy in between takes the method, and what names it', { skip }, async (t) => {
  await goesBack(t, async (machine) => {
    modernize(machine);
    t.equal((await machine.setup('--yes', '--proxy')).code, 0);
    t.same(await inReleases(machine), RELEASES);
  });
});

t.test('lines written by hand go with the method that they name', { skip }, async (t) => {
  for (const lost of [false, true]) {
    await goesBack(t, (machine) => {
      machine.write(
        OWN,
        `# by hand\n${machine.read(LIST).replaceAll('debtorrent://localhost', 'debtorrent://127.0.0.1')}`,
      );
      rmSync(machine.path(LIST));
      if (lost) rmSync(machine.path('usr/lib/apt/methods/debtorrent'));
    });
  }
});

t.test('a file in which APT finds a fault today is turned back as well', { skip }, async (t) => {
  const was = 'Types: deb\nURIs: http://ftp.de.debian.org/debian\nSuites: trixie\nComponents: main\n';
  for (const [name, undo] of Object.entries(UNDO)) {
    const machine = new Machine(t, { [MODERN]: was });
    t.equal((await machine.setup('--yes')).code, 0);
    machine.write(MODERN, `${machine.read(MODERN)}\nno field\n`);
    const undone = await undo(machine);
    t.equal(undone.code, 0, undone.output);
    t.equal(machine.read(MODERN), `${was}\nno field\n`, name);
  }
});
