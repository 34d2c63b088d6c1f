/** The daemon within the system calls that its systemd unit allows: one that is not among them kills the process. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run, skipWithoutApt, until } from '../support/process.ts';
import { aptGetsEverything, Scene } from '../support/scene.ts';
import { skipWithoutFilter, underFilterOf } from '../support/unit-filter.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt || skipWithoutFilter();
const unit = readFileSync(fileURLToPath(new URL('../../../packaging/debtorrent.service', import.meta.url)), 'utf8');

/** The unit with one more line. */
const withLine = (line: string): string => unit.replace('\n[Install]', `${line}\n\n[Install]`);

t.test('a call that the unit refuses kills', { skip }, async (t) => {
  const [command, ...args] = underFilterOf(withLine('SystemCallFilter=~unshare'));
  t.equal((await run(command, [...args, 'true'])).code, 0);
  t.equal((await run(command, [...args, 'unshare', '--user', 'true'])).code, -1);
});

t.test('starts, tells systemd, reads indexes, fetches, shares and stops within them', { skip }, async (t) => {
  const scene = await Scene.start(t, {
    state: { add: [{ name: 'small' }, { name: 'large', size: 6_000_000 }] },
    daemon: {
      launcher: underFilterOf(unit),
      peers: { lan: true },
      // nobody is there, but systemd-notify tries
      env: { NOTIFY_SOCKET: '/nowhere/notify', WATCHDOG_USEC: '150000' },
    },
  });
  const { daemon } = scene;
  await aptGetsEverything(t, scene);
  await scene.adopt();
  await until('systemd-notify has run', () => daemon.logged('systemd is not told').length > 0);
  t.same(daemon.logged('SIGSYS'), [], 'no program that it starts is killed');
  t.equal((await daemon.stop()).code, 0);
});

t.test('runs without the calls that it could do without, if they are refused with EPERM', { skip }, async (t) => {
  t.match(unit, /^SystemCallErrorNumber=EPERM$/m, 'as they are');
  const launcher = underFilterOf(withLine('SystemCallFilter=~@pkey setpriority'), 'EPERM');
  const scene = await Scene.start(t, { state: { add: [{ name: 'small' }] }, daemon: { launcher } });
  await scene.adopt();
  const said = () => scene.daemon.logged('at the priority of everything else').length;
  await until('it says what it does without', () => said() === 1);
  t.equal((await scene.daemon.stop()).code, 0);
});
