/** A file of sources that cannot be written, such as one on a medium that is mounted read-only. */
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import t from 'tap';
import { skipWithoutMount } from '../../support/tmpfs.ts';
import { Machine } from './machine.ts';

const LIST = 'etc/apt/sources.list';
const SOURCES = 'etc/apt/sources.list.d/debian.sources';
const SHARED = 'srv/shared/debian.sources';

t.test(
  'setup says what it cannot write and how far it came, and undo goes back',
  { skip: skipWithoutMount() },
  async (t) => {
    const machine = new Machine(t, {
      [LIST]: 'deb http://ftp.de.debian.org/debian trixie main\n',
      [SHARED]: 'Types: deb\nURIs: http://ftp.de.debian.org/debian\nSuites: sid\nComponents: main\n',
    });
    symlinkSync(`../../../${SHARED}`, machine.path(SOURCES));
    const shared = machine.path('srv/shared');
    execFileSync('mount', ['--bind', shared, shared]);
    t.teardown(() => execFileSync('umount', [shared]));
    execFileSync('mount', ['-o', 'remount,ro,bind', shared]);
    const before = machine.snapshot();
    const failed = await machine.setup('--yes');
    t.match(failed, {
      code: 1,
      output: /debian\.sources: EROFS; 3 of 4 files are changed: run it again, or setup --undo\n$/,
    });
    const again = await machine.setup('--yes');
    t.match(
      again,
      { code: 1, output: /\ndebtorrent: cannot write [^\n]*\/debian\.sources: EROFS\n$/ },
      'nothing more is',
    );
    const undone = await machine.setup('--undo');
    t.equal(undone.code, 0, undone.output);
    t.same(machine.snapshot(), before);
  },
);

t.test('nothing is done where the first file cannot be written', { skip: skipWithoutMount() }, async (t) => {
  const machine = new Machine(t, { [LIST]: 'deb http://ftp.de.debian.org/debian trixie main\n' });
  const methods = machine.path('usr/lib/apt/methods');
  execFileSync('mount', ['--bind', methods, methods]);
  t.teardown(() => execFileSync('umount', [methods]));
  execFileSync('mount', ['-o', 'remount,ro,bind', methods]);
  const before = machine.snapshot();
  const failed = await machine.setup('--yes');
  t.match(failed, { code: 1, output: /\ndebtorrent: cannot write [^\n]*\/methods\/debtorrent: EROFS\n$/ });
  t.equal((await machine.setup('--undo')).code, 0);
  t.same(machine.snapshot(), before);
});
