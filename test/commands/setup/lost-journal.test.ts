/** Undo where the journal was deleted: what is recognisably setup's goes, and nothing else. */
import { existsSync, rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { MAIN } from '../../support/daemon.ts';
import { run, skipWithout, type RunResult } from '../../support/process.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const D = 'debtorrent://localhost:9988';
const LIST = 'etc/apt/sources.list';
const DEB822 = 'etc/apt/sources.list.d/debian.sources';
const FRAGMENT = 'etc/apt/apt.conf.d/30debtorrent-setup';
const METHOD = 'usr/lib/apt/methods/debtorrent';
const HELPER = 'usr/local/lib/debtorrent/proxy-detect';
const STATE = 'var/lib/debtorrent-setup';
const FILES = {
  [LIST]: 'deb http://ftp.de.debian.org/debian trixie main # caf\xe9\n# deb http://ftp.de.debian.org/debian sid main\n',
  [DEB822]: 'Types: deb\r\nURIs: https://ftp.de.debian.org/debian\r\nSuites: sid\r\nComponents: main\r\n',
};
const BY_HAND = `deb ${D}/by.hand.example/debian sid main\n`;

const UNDO: Readonly<Record<string, (machine: Machine) => Promise<RunResult>>> = {
  'setup --undo': (machine) => machine.setup('--undo'),
  ...(skipWithout('perl') === false && {
    'setup-undo': (machine) => run('/usr/bin/perl', [join(dirname(MAIN), 'setup-undo'), machine.root]),
  }),
};

function isBack(t: Test, machine: Machine): void {
  t.equal(machine.read(LIST), FILES[LIST]);
  t.equal(machine.read(DEB822), FILES[DEB822]);
  for (const gone of [FRAGMENT, HELPER, dirname(HELPER), STATE]) t.notOk(existsSync(machine.path(gone)), gone);
}

for (const [name, undo] of Object.entries(UNDO)) {
  t.test(name, async (t) => {
    for (const lost of [STATE, `${STATE}/journal.json`]) {
      for (const way of [[], ['--proxy']]) {
        const machine = new Machine(t, FILES);
        t.equal((await machine.setup('--yes', ...way)).code, 0);
        rmSync(machine.path(lost), { recursive: true });
        const undone = await undo(machine);
        t.equal(undone.code, 0, undone.output);
        isBack(t, machine);
        t.notOk(existsSync(machine.path(METHOD)));
        if (name === 'setup --undo') t.match(undone.stdout, /note: \S+journal.json is gone, which said what setup/);
      }
    }
  });

  t.test(`${name} beside the method of a package`, async (t) => {
    const machine = new Machine(t, FILES);
    machine.write(METHOD, "a package's", 0o755);
    t.equal((await machine.setup('--yes')).code, 0);
    rmSync(machine.path(STATE), { recursive: true });
    const undone = await undo(machine);
    t.equal(undone.code, 0, undone.output);
    isBack(t, machine);
    t.equal(machine.read(METHOD), "a package's");
    machine.write(LIST, BY_HAND);
    const again = await undo(machine);
    t.equal(again.code, 0, again.output);
    t.equal(machine.read(LIST), BY_HAND, 'nothing here is from setup');
  });

  t.test(`${name} where nobody has the method`, async (t) => {
    const machine = new Machine(t, FILES);
    t.equal((await machine.setup('--yes')).code, 0);
    rmSync(machine.path(STATE), { recursive: true });
    for (const each of [METHOD, FRAGMENT]) unlinkSync(machine.path(each));
    const undone = await undo(machine);
    t.equal(undone.code, 0, undone.output);
    isBack(t, machine);
  });
}

t.test('where there is nothing of setup nothing is said of a journal', async (t) => {
  const machine = new Machine(t, FILES);
  const before = machine.snapshot();
  t.match(await machine.setup('--undo'), { code: 0, output: /^nothing to change\n$/ });
  t.same(machine.snapshot(), before);
});
