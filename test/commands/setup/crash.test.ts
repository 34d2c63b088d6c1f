/** A run that ends at any moment leaves what another run, or an undo, brings to its end. */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { MAIN } from '../../support/daemon.ts';
import { run } from '../../support/process.ts';
import { Cut, cutAt } from './fixtures/kill-at.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const KILL_AT = fileURLToPath(new URL('./fixtures/kill-at.js', import.meta.url));
const LIST = 'etc/apt/sources.list';
const FRAGMENT = 'etc/apt/apt.conf.d/30debtorrent-setup';

/** One of each kind: a file that is to be changed, one that is to be replaced, one that is to be made. */
function machine(t: Test): Machine {
  const made = new Machine(t, {
    [LIST]: 'deb http://ftp.de.debian.org/debian sid main\n',
    'etc/apt/sources.list.d/x.sources': 'Types: deb\nURIs: https://ftp.de.debian.org/debian\nSuites: sid\n',
    [FRAGMENT]: '// mine\n',
  });
  made.programs = '/nonexistent'; // without apt-config, whose start takes longer than the rest, paths are the usual ones
  return made;
}

/** Everything but the journal and its times. */
const withoutState = (machine: Machine): Record<string, string> => {
  const timeless = Object.entries(machine.snapshot()).filter(([path]) => !path.startsWith('var/lib/debtorrent-setup'));
  return Object.fromEntries(timeless.map(([path, state]) => [path, state.replace(/^(\S+ \S+) \d+ /, '$1 ')]));
};

/** Ends at the n-th change; false when it was done before that. */
async function cut(machine: Machine, n: number, args: readonly string[]): Promise<boolean> {
  const cutter = cutAt(n, () => {
    throw new Cut('cut');
  });
  try {
    await machine.setup(...args);
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
  } finally {
    cutter.restore();
  }
  return cutter.changes() >= n;
}

function whole(t: Test, machine: Machine, when: string): void {
  t.match(machine.read(LIST), /^deb \S+debian sid main\n$/, `${when}: sources are the old ones or the new ones`);
  const named = /debtorrent:/.test(machine.read(LIST) + machine.read('etc/apt/sources.list.d/x.sources'));
  t.ok(!named || existsSync(machine.path('usr/lib/apt/methods/debtorrent')), `${when}: no source without its method`);
}

function clean(t: Test, machine: Machine, when: string): void {
  const left = readdirSync(machine.root, { recursive: true, encoding: 'utf8' });
  t.same(
    left.filter((name) => name.endsWith('.new')),
    [],
    `${when}: nothing half-written is left`,
  );
}

t.test('setup ends at any change: setup goes on, undo takes back', async (t) => {
  const done = machine(t);
  const before = done.snapshot();
  await done.setup('--yes');
  const after = withoutState(done);
  const one = machine(t);
  let n = 1;
  for (; await cut(one, n, ['--yes']); n++) {
    const when = `setup cut at change ${n}`;
    whole(t, one, when);
    if (n % 2 === 0) {
      t.equal((await one.setup('--yes')).code, 0);
      t.same(withoutState(one), after, when);
      clean(t, one, when);
    }
    t.equal((await one.setup('--undo')).code, 0);
    t.same(one.snapshot(), before, `${when}, then undone`);
  }
  t.ok(n > 25, `${n} changes`);
});

t.test('undo ends at any change: undo goes on, setup sets up again', async (t) => {
  const one = machine(t);
  const before = one.snapshot();
  await one.setup('--yes');
  const after = withoutState(one);
  let n = 1;
  for (; await cut(one, n, ['--undo']); n++) {
    const when = `undo cut at change ${n}`;
    whole(t, one, when);
    if (n % 2 === 0) {
      t.equal((await one.setup('--yes')).code, 0);
      t.same(withoutState(one), after, `${when}, then set up`);
    }
    t.equal((await one.setup('--undo')).code, 0);
    t.same(one.snapshot(), before, `${when}, then undone`);
    await one.setup('--yes');
  }
  t.ok(n > 15, `${n} changes`);
});

t.test('a change of settings ends at any change, and undo still knows everything', async (t) => {
  const one = machine(t);
  const before = one.snapshot();
  for (let n = 1; ; n += 3) {
    await one.setup('--yes');
    const more = await cut(one, n, n % 2 === 0 ? ['--yes', '--proxy'] : ['--yes', '--listen', '127.0.0.1:81']);
    t.equal((await one.setup('--undo')).code, 0);
    t.same(one.snapshot(), before, `cut at change ${n}`);
    if (!more) break;
  }
});

t.test('the same with kill -9', async (t) => {
  const one = machine(t);
  const before = one.snapshot();
  for (const n of [1, 4, 12, 20]) {
    const env = { ...one.env(), DT_KILL_AT: String(n) };
    const args = ['--import', KILL_AT, MAIN, 'setup', '--yes', '--root', one.root];
    t.equal((await run(process.execPath, args, { env })).code, -1, 'it was killed');
    whole(t, one, `killed at change ${n}`);
    await one.setup('--undo');
    t.same(one.snapshot(), before, `killed at change ${n}`);
  }
});
