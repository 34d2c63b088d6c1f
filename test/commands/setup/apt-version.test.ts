/** What is written for one APT and not for another: the one below the root counts, whatever this machine has. */
import t from 'tap';
import { Machine } from './machine.ts';

const FRAGMENT = 'etc/apt/apt.conf.d/30debtorrent-setup';
const STATUS = 'var/lib/dpkg/status';

function statusOf(version: string): string {
  const fields = ['Package: apt', 'Status: install ok installed', 'Maintainer: nobody <a@example.org>'];
  return [...fields, 'Architecture: amd64', `Version: ${version}`, 'Description: manages packages', ''].join('\n');
}

t.test('APT that can wait for ever after a failure is told not to delay what it tries again', async (t) => {
  const machine = new Machine(t);
  const before = machine.snapshot();
  const expected = { '2.6.1': true, '3.0.2': true, '3.0.3': false, '3.1.12': false } as const;
  for (const [version, isTold] of Object.entries(expected)) {
    machine.write(STATUS, statusOf(version));
    const done = await machine.setup('--yes');
    t.equal(done.code, 0, done.output);
    t.equal(machine.read(FRAGMENT).includes('\nAcquire::Retries::Delay "false";\n'), isTold, version);
  }
  machine.write(STATUS, statusOf('2.6.1'));
  await machine.setup('--yes', '--proxy');
  t.notMatch(machine.read(FRAGMENT), 'Retries', 'a proxy does not change how APT queues');
  for (const unknown of ['', 'damaged']) {
    machine.write(STATUS, unknown);
    const done = await machine.setup('--yes');
    t.equal(done.code, 0, done.output);
    t.notMatch(machine.read(FRAGMENT), 'Retries', `${unknown}: not known`);
  }
  await machine.setup('--undo');
  machine.write(STATUS, '');
  t.same(machine.snapshot(), before);
});
