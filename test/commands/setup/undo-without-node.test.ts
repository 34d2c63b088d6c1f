/** `bin/setup-undo`, by which the package takes setup back where Node is gone: the same as `debtorrent setup --undo`. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { MAIN } from '../../support/daemon.ts';
import { run, skipWithout, type RunResult } from '../../support/process.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const skip = skipWithout('perl');
const D = 'debtorrent://localhost:9988';
const LIST = 'etc/apt/sources.list';
const DEB822 = 'etc/apt/sources.list.d/debian.sources';
const FRAGMENT = 'etc/apt/apt.conf.d/30debtorrent-setup';
const METHOD = 'usr/lib/apt/methods/debtorrent';
const JOURNAL = 'var/lib/debtorrent-setup/journal.json';
const FILES = {
  [LIST]: 'deb http://ftp.de.debian.org/debian trixie main # caf\xe9\n# deb http://ftp.de.debian.org/debian sid main\n',
  [DEB822]: 'Types: deb\r\nURIs: https://ftp.de.debian.org/debian\r\nSuites: sid\r\nComponents: main\r\n',
};

function undo(machine: Machine): Promise<RunResult> {
  // nothing beyond perl-base and coreutils, which need no PATH of ours
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' };
  return run('/usr/bin/perl', [join(dirname(MAIN), 'setup-undo'), machine.root], { env });
}

/** Both ways back, on machines to which the same was done. */
async function bothWays(
  t: Test,
  files: Readonly<Record<string, string>>,
  work: (machine: Machine) => Promise<unknown>,
) {
  const [one, other] = [new Machine(t, files), new Machine(t, files)];
  for (const machine of [one, other]) await work(machine);
  t.equal((await one.setup('--undo')).code, 0);
  const result = await undo(other);
  t.equal(result.code, 0, result.output);
  return { one, other, result };
}

/** Times of what was rewritten, and not brought back, are of this moment. */
const timeless = (machine: Machine) =>
  Object.entries(machine.snapshot()).map(([path, state]) => [path, state.replace(/^(\S+ \S+) \d+ /, '$1 ')]);

for (const args of [['--yes'], ['--yes', '--proxy']]) {
  t.test(`exactly what was there before ${args.join(' ')}`, { skip }, async (t) => {
    const machine = new Machine(t, { ...FILES, [FRAGMENT]: '// of somebody else\n' });
    chmodSync(machine.path(LIST), 0o640);
    mkdirSync(machine.path('srv'));
    renameSync(machine.path(DEB822), machine.path('srv/"caf\u00e9".sources'));
    symlinkSync('../../../srv/"caf\u00e9".sources', machine.path(DEB822));
    const before = machine.snapshot();
    t.equal((await machine.setup(...args)).code, 0);
    t.strictNotSame(machine.snapshot(), before);
    const undone = await undo(machine);
    t.match(undone, { code: 0, output: /^$/ });
    t.same(machine.snapshot(), before);
    t.match(await undo(machine), { code: 0, output: /^$/ }, 'and nothing the second time');
  });
}

t.test('edited and moved since: addresses are turned back, the rest stays', { skip }, async (t) => {
  const { one, other, result } = await bothWays(
    t,
    { ...FILES, 'etc/apt/sources.list.d/x.list': '' },
    async (machine) => {
      await machine.setup('--yes');
      const more = `deb [arch=amd64] ${D}/HTTPS///new.example/debian x main\n#${D}\n`;
      machine.write(LIST, `${machine.read(LIST)}${more}`, 0o600);
      renameSync(machine.path(DEB822), machine.path('etc/apt/sources.list.d/moved.sources'));
      machine.write('etc/apt/sources.list.d/own.list', `deb ${D}/by.hand.example/debian sid main\n`);
      machine.write(FRAGMENT, `${machine.read(FRAGMENT)}Acquire::Retries "9";\n`);
      machine.write(`${FRAGMENT}.save`, 'older');
      machine.write(METHOD, "another's", 0o755);
    },
  );
  t.same(timeless(other), timeless(one));
  t.match(other.read(LIST), `https://new.example/debian x main\n#${D}\n`);
  t.match(other.read('etc/apt/sources.list.d/moved.sources'), 'https://ftp.de.debian.org/debian');
  t.match(result.output, /30debtorrent-setup has been edited since: it is kept as \S+\.1\.save/);
  t.match(result.output, /methods\/debtorrent is not as setup wrote it/);
});

t.test('a journal that others could have written is not followed, nor a damaged one', { skip }, async (t) => {
  const machine = new Machine(t, FILES);
  await machine.setup('--yes');
  const text = readFileSync(machine.path(JOURNAL), 'utf8');
  chmodSync(machine.path(JOURNAL), 0o620);
  const before = machine.snapshot();
  t.match(await undo(machine), { code: 1, output: /^debtorrent: [^\n]*others than root may have written it\n$/ });
  t.same(machine.snapshot(), before);
  chmodSync(machine.path(JOURNAL), 0o600);
  const changed = [text.replace('"version":1', '"version":2'), text.replace(/"path":"\//, '"path":"x/')];
  for (const bad of [text.slice(1), text.slice(0, -3), '', ...changed]) {
    writeFileSync(machine.path(JOURNAL), bad);
    t.match(await undo(machine), { code: 1, output: /^debtorrent: [^\n]*it is damaged\n$/ });
  }
  t.match(machine.read(LIST), D);
});

t.test('one that noted nothing is removed', { skip }, async (t) => {
  const machine = new Machine(t, FILES);
  mkdirSync(machine.path(dirname(JOURNAL)), { recursive: true });
  t.match(await undo(machine), { code: 0, output: /^$/ });
  t.notOk(existsSync(machine.path(dirname(JOURNAL))));
});
