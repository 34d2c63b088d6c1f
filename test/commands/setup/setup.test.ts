/** `debtorrent setup` as people run it, on roots of systems as administrators left them. */
import {
  chmodSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { MAIN } from '../../support/daemon.ts';
import { run, skipWithout } from '../../support/process.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const D = 'debtorrent://localhost:9988';
const LIST = [
  'deb http://ftp.de.debian.org/debian trixie main # stays',
  'deb [arch=amd64] https://security.debian.org/debian-security trixie-security main',
  'deb http://example.org/debian trixie main',
  'deb cdrom:[Debian 13]/ trixie main',
  '# caf\xe9 deb http://ftp.de.debian.org/debian sid main',
  '',
].join('\n');
const SOURCES = 'Types: deb\r\nURIs: http://ftp.de.debian.org/debian\r\nSuites: sid\r\nComponents: main\r\n';
const FILES = { 'etc/apt/sources.list': LIST, 'etc/apt/sources.list.d/debian.sources': SOURCES };
const METHOD = 'usr/lib/apt/methods/debtorrent';
const FRAGMENT = 'etc/apt/apt.conf.d/30debtorrent-setup';
const JOURNAL = 'var/lib/debtorrent-setup/journal.json';

const rewritten = (text: string): string =>
  text
    .replaceAll(/^((?:deb |URIs: ).*)http:\/\/ftp\.de\./gm, `$1${D}/ftp.de.`)
    .replaceAll('https://security', `${D}/HTTPS///security`);

t.test('without a terminal it shows the change and refuses; --print only shows', async (t) => {
  const machine = new Machine(t, FILES);
  const before = machine.snapshot();
  const refused = await machine.command();
  t.equal(refused.code, 2);
  t.match(refused.output, /\ndebtorrent: setup: there is no terminal to ask on; --yes [^\n]*\n$/);
  const printed = await machine.command('--print');
  t.equal(printed.code, 0, printed.output);
  t.ok(refused.output.startsWith(printed.stdout));
  const list = machine.path('etc/apt/sources.list');
  t.match(
    printed.stdout,
    `--- ${list}\n+++ ${list}\n@@ -1,5 +1,5 @@\n-deb http://ftp.de.debian.org/debian trixie main # stays\n`,
  );
  t.match(printed.stdout, `+deb [arch=amd64] ${D}/HTTPS///security.debian.org/debian-security trixie-security main\n`);
  t.match(printed.stdout, `--- /dev/null\n+++ ${machine.path(METHOD)}\n`);
  t.match(
    printed.stdout,
    `  ${list}, line 3: http://example.org/debian: example.org:80 is not an allowed mirror (see --allow-mirror)\n`,
  );
  t.match(printed.stdout, `  ${list}, line 4: cdrom:[Debian 13]/: cdrom: is neither http nor https\n`);
  t.same(machine.snapshot(), before, 'and nothing was changed');
});

t.test('what --print shows is a patch that makes the change', { skip: skipWithout('patch') }, async (t) => {
  const machine = new Machine(t, FILES);
  const printed = await machine.command('--print');
  const patch = machine.path('../x.patch');
  writeFileSync(
    patch,
    printed.stdout.slice(printed.stdout.indexOf('--- /'), printed.stdout.indexOf('left as')),
    'utf8',
  );
  const patched = await run('patch', ['--binary', '-p0', '-d', '/', '-i', patch]);
  t.equal(patched.code, 0, patched.output);
  t.equal(machine.read('etc/apt/sources.list.d/debian.sources'), rewritten(SOURCES));
});

t.test('--yes: sources, method and configuration; --undo: exactly what was there', async (t) => {
  const machine = new Machine(t, FILES);
  chmodSync(machine.path('etc/apt/sources.list'), 0o640);
  if (process.getuid?.() === 0) await run('chown', ['12:34', machine.path('etc/apt/sources.list')]);
  await run('touch', ['-d', '2001-02-03 04:05:06.789012345', machine.path('etc/apt/sources.list')]);
  const before = machine.snapshot();
  const done = await machine.command('--yes');
  t.equal(done.code, 0, done.output);
  t.equal(machine.read('etc/apt/sources.list'), rewritten(LIST));
  t.equal(machine.read('etc/apt/sources.list.d/debian.sources'), rewritten(SOURCES));
  const { mode } = statSync(machine.path('etc/apt/sources.list'));
  t.equal(mode & 0o7777, 0o640);
  t.equal(statSync(machine.path(METHOD)).mode & 0o7777, 0o755);
  t.equal(statSync(machine.path(JOURNAL)).mode & 0o7777, 0o600, 'sources may have secrets in them');

  const once = machine.snapshot();
  const again = await machine.setup('--yes');
  t.equal(again.code, 0);
  t.match(again.stdout, /\nnothing to change\n$/);
  t.same(machine.snapshot(), once, 'a second time changes nothing');

  const undone = await machine.command('--undo');
  t.equal(undone.code, 0, undone.output);
  t.same(machine.snapshot(), before);
  const twice = await machine.setup('--undo');
  t.match(twice, { code: 0, stdout: 'nothing to change\n' });
});

t.test('on a terminal it asks', { skip: skipWithout('script') }, async (t) => {
  const machine = new Machine(t, { ...FILES, 'etc/apt/sources.list': `${LIST}# \x1b]0;x\x07\n` });
  const before = machine.snapshot();
  // what is typed before it asks waits in the terminal
  const typed = (answer: string) => {
    const command = `'${process.execPath}' '${MAIN}' setup --root '${machine.root}'`;
    return run('script', ['-qec', command, '/dev/null'], { input: answer, env: machine.env() });
  };
  const no = await typed('n\n');
  t.match(no.output, /Change these files\? \[y\/N\] [^]*nothing was changed/);
  t.equal(no.code, 1);
  t.notOk(no.output.includes('\x1b]0'), 'nothing in a file steers the terminal');
  t.equal((await typed('\n')).code, 1, 'no answer is no');
  t.equal((await typed('\x04')).code, 1, 'nor is the end of the input');
  t.same(machine.snapshot(), before);
  const yes = await typed('y\n');
  t.equal(yes.code, 0, yes.output);
  t.ok(existsSync(machine.path(METHOD)));
});

t.test('an edit survives: a second setup goes on from it, and undo turns its addresses back', async (t) => {
  const machine = new Machine(t, FILES);
  await machine.setup('--yes');
  const edited = `${machine.read('etc/apt/sources.list')}deb http://ftp.debian.org/debian new main\n#${D}\n# deb ${D}/ftp.de.debian.org/debian old main\n`;
  machine.write('etc/apt/sources.list', edited, 0o600);
  const again = await machine.setup('--yes');
  t.equal(again.code, 0, again.output);
  t.match(machine.read('etc/apt/sources.list'), `deb ${D}/ftp.debian.org/debian new main\n`);
  machine.write('etc/apt/sources.list', machine.read('etc/apt/sources.list').replace('new main', 'newer main'), 0o600);
  const undone = await machine.setup('--undo');
  t.equal(undone.code, 0, undone.output);
  t.match(undone.stdout, /etc\/apt\/sources.list has been edited since: its addresses are turned back/);
  t.equal(
    machine.read('etc/apt/sources.list'),
    `${LIST}deb http://ftp.debian.org/debian newer main\n#${D}\n# deb http://ftp.de.debian.org/debian old main\n`,
  );
  t.equal(statSync(machine.path('etc/apt/sources.list')).mode & 0o777, 0o600);
  t.equal(machine.read('etc/apt/sources.list.d/debian.sources'), SOURCES);
});

t.test('undo after other changes: files removed, renamed, configuration edited, method replaced', async (t) => {
  const machine = new Machine(t, FILES);
  await machine.setup('--yes');
  rmSync(machine.path('etc/apt/sources.list'));
  renameSync(
    machine.path('etc/apt/sources.list.d/debian.sources'),
    machine.path('etc/apt/sources.list.d/moved.sources'),
  );
  const edited = `${machine.read(FRAGMENT)}Acquire::Retries "9";\n`;
  machine.write(FRAGMENT, edited);
  machine.write(`${FRAGMENT}.save`, 'older');
  machine.write('etc/apt/sources.list.d/own.list', `# by hand\ndeb ${D}/ftp.debian.org/debian sid main\n`);
  machine.write(METHOD, "another's", 0o755);
  const undone = await machine.setup('--undo');
  t.equal(undone.code, 0, undone.output);
  t.match(undone.stdout, /sources.list has been removed since/);
  t.match(undone.stdout, /30debtorrent-setup.1.save, which APT does not read/);
  t.match(undone.stdout, /own.list, line 2: not from setup, so left/);
  t.match(undone.stdout, /methods\/debtorrent is not as setup wrote it/);
  t.notOk(existsSync(machine.path('etc/apt/sources.list')));
  t.equal(machine.read('etc/apt/sources.list.d/moved.sources'), SOURCES, 'found under its new name');
  t.notOk(existsSync(machine.path(FRAGMENT)));
  t.equal(machine.read(`${FRAGMENT}.1.save`), edited);
  t.equal(machine.read(METHOD), "another's");
  t.notOk(existsSync(machine.path('var/lib/debtorrent-setup')));
});

t.test('another daemon, then none: each setup starts from what had been there', async (t) => {
  const prefix = 'deb http://localhost:9988/ftp.de.debian.org/debian sid main\n';
  const machine = new Machine(t, { 'etc/apt/sources.list': prefix + LIST });
  const before = machine.snapshot();
  await machine.setup('--yes');
  t.equal(machine.read('etc/apt/sources.list'), rewritten(`deb http://ftp.de.debian.org/debian sid main\n${LIST}`));
  const other = await machine.setup(
    '--yes',
    '--listen',
    '10.1.2.3:80',
    '--allow-mirror',
    '*.debian.org',
    '--socket',
    '/s',
  );
  t.equal(other.code, 0, other.output);
  t.match(
    machine.read('etc/apt/sources.list'),
    'deb debtorrent://10.1.2.3:80/ftp.de.debian.org/debian trixie main # stays\n',
  );
  t.match(machine.read(FRAGMENT), 'Acquire::debtorrent::Socket "/s";\n');
  const nothing = await machine.setup('--yes', '--allow-mirror', 'nowhere.example.org');
  t.equal(nothing.code, 0, nothing.output);
  t.equal(machine.read('etc/apt/sources.list'), prefix + LIST);
  await machine.setup('--undo');
  t.same(machine.snapshot(), before);
});

t.test('a method of a package is left; what else is in the way comes back with undo', async (t) => {
  const machine = new Machine(t, { ...FILES, [FRAGMENT]: '// mine\n' });
  machine.write(METHOD, "a package's", 0o755);
  const before = machine.snapshot();
  const done = await machine.setup('--yes');
  t.match(done.stdout, /methods\/debtorrent is there already and not from setup/);
  t.equal(machine.read(METHOD), "a package's");
  t.match(machine.read('etc/apt/sources.list'), D);
  await machine.setup('--undo');
  t.same(machine.snapshot(), before);
});

t.test('what is written leads to where the daemon listens', async (t) => {
  const addresses = {
    '127.0.0.1:9988': 'localhost:9988',
    '0.0.0.0:9988': 'localhost:9988',
    '[::]:9988': 'localhost:9988',
    '127.0.0.2:9988': '127.0.0.2:9988',
    '[::1]:9988': '[::1]:9988',
    '10.1.2.3:80': '10.1.2.3:80',
  };
  const machine = new Machine(t, FILES);
  for (const [listen, named] of Object.entries(addresses)) {
    await machine.setup('--yes', '--listen', listen);
    t.match(machine.read('etc/apt/sources.list'), `deb debtorrent://${named}/ftp.de.debian.org/debian trixie main`);
    await machine.setup('--yes', '--proxy', '--listen', listen);
    t.match(machine.read('usr/local/lib/debtorrent/proxy-detect'), `DEBTORRENT_PROXY:=${named}}`);
  }
});

t.test('passwords, and the configuration of the system below the root', async (t) => {
  const machine = new Machine(t, {
    'etc/apt/sources.list': 'deb http://a.example.org/debian sid main\ndeb http://b.example.org/debian sid main\n',
    'etc/apt/auth.conf.d/x.conf': 'machine http://A.example.org/debian\nlogin me password secret\n',
    'etc/debtorrent/debtorrent.toml': 'allow-mirror = ["*.example.org"]\nlisten = "[::1]:81"\n',
    'etc/apt/apt.conf.d/50dirs': 'Dir::Etc::sourceparts "other.d"; Dir::Bin::methods "/opt/methods/";\n',
    'etc/apt/other.d/x.list': 'deb http://c.example.org/debian sid main\n',
    'etc/apt/other.d/x.list.dpkg-old': 'deb http://c.example.org/debian sid main\n',
    'etc/apt/other.d/.hidden.list': 'deb http://c.example.org/debian sid main\n',
    'etc/apt/sources.list.d/x.list': 'deb http://c.example.org/debian sid main\n',
  });
  const before = machine.snapshot();
  const done = await machine.setup('--yes');
  t.equal(done.code, 0, done.output);
  t.match(done.stdout, /APT has a password for a.example.org/);
  t.equal(
    machine.read('etc/apt/sources.list'),
    'deb http://a.example.org/debian sid main\ndeb debtorrent://[::1]:81/b.example.org/debian sid main\n',
  );
  t.match(machine.read('etc/apt/other.d/x.list'), 'debtorrent://[::1]:81/c.example.org');
  for (const untouched of ['other.d/x.list.dpkg-old', 'other.d/.hidden.list', 'sources.list.d/x.list'])
    t.match(machine.read(`etc/apt/${untouched}`), 'deb http://c.');
  t.ok(existsSync(machine.path('opt/methods/debtorrent')), "APT's methods are where its configuration says");
  machine.write('etc/debtorrent/debtorrent.toml', 'nonsense');
  t.equal((await machine.command('--print')).code, 2);
  t.equal((await machine.setup('--undo')).code, 0, 'undo needs no configuration');
  t.same(
    { ...machine.snapshot(), 'etc/debtorrent/debtorrent.toml': '' },
    { ...before, 'etc/debtorrent/debtorrent.toml': '' },
  );
});

t.test('no symbolic link leads out of the root', async (t) => {
  const outside = new Machine(t, { 'etc/apt/sources.list': LIST, 'etc/apt/sources.list.d/x.list': LIST });
  const inside = new Machine(t, { 'srv/real.list': LIST });
  const link = (target: string, path: string) => {
    rmSync(inside.path(path), { recursive: true, force: true });
    symlinkSync(target, inside.path(path));
    lutimesSync(inside.path(path), 1, 1);
  };
  link(outside.path('etc/apt/sources.list'), 'etc/apt/sources.list');
  link('/srv/real.list', 'etc/apt/sources.list.d/absolute.list');
  link(`${'../'.repeat(30)}srv/real.list`, 'etc/apt/sources.list.d/above.list');
  link('loop.list', 'etc/apt/sources.list.d/loop.list');
  mkdirSync(inside.path('etc/apt/sources.list.d/directory.list'));
  await run('mkfifo', [inside.path('etc/apt/sources.list.d/fifo.list')]);
  const [before, beforeOutside] = [inside.snapshot(), outside.snapshot()];
  const done = await inside.setup('--yes');
  t.equal(done.code, 0, done.output);
  t.equal(inside.read('srv/real.list'), rewritten(LIST), 'seen from inside there is a file, and it is written once');
  t.match(done.stdout, /loop.list: ELOOP: it is left/);
  t.match(done.stdout, /fifo.list: it is no regular file: it is left/);
  await inside.setup('--undo');
  t.same(inside.snapshot(), before);
  // the directories that setup writes to
  for (const directory of ['etc/apt/sources.list.d', 'etc/apt/apt.conf.d', 'usr/lib/apt/methods', 'var/lib']) {
    const evil = new Machine(t, FILES);
    rmSync(evil.path(directory), { recursive: true });
    symlinkSync(outside.path(directory), evil.path(directory));
    await evil.setup('--yes');
    t.same(outside.snapshot(), beforeOutside, directory);
  }
});

t.test('a journal that others could have written is not followed, nor a damaged one', async (t) => {
  const machine = new Machine(t, FILES);
  await machine.setup('--yes');
  const before = machine.snapshot();
  chmodSync(machine.path(JOURNAL), 0o620);
  t.match(await machine.setup('--undo'), {
    code: 1,
    output: /^debtorrent: [^\n]*others than root may have written it\n$/,
  });
  chmodSync(machine.path(JOURNAL), 0o600);
  const text = readFileSync(machine.path(JOURNAL), 'utf8');
  for (const bad of [
    text.slice(1),
    text.replace('"version":1', '"version":2'),
    text.replace(/"path":"\//, '"path":"x/'),
  ]) {
    writeFileSync(machine.path(JOURNAL), bad);
    t.match(await machine.setup('--undo'), { code: 1, output: /^debtorrent: [^\n]*it is damaged\n$/ });
  }
  writeFileSync(machine.path(JOURNAL), text);
  t.equal((await machine.setup('--undo')).code, 0);
  t.not(machine.snapshot()[METHOD], before[METHOD]);
});

t.test('mistakes: one line, exit 2; files that cannot be changed: one line, exit 1', async (t) => {
  const machine = new Machine(t, FILES);
  const fails = (...args: string[]) => run(process.execPath, [MAIN, 'setup', ...args], { env: machine.env() });
  t.match(await fails('--root', '/nonexistent', '--yes'), {
    code: 2,
    output: /^debtorrent: --root: '\/nonexistent' is no directory[^\n]*\n$/,
  });
  t.match(await fails('--root'), { code: 2, output: "debtorrent: --root: '' is not DIR\n" });
  t.match(await fails('--root', machine.root, '--listen', '127.0.0.1:0', '--yes'), { code: 2 });
  t.match(await fails('--undo', '--proxy'), { code: 2, output: /exclude each other/ });
  mkdirSync(join(machine.root, FRAGMENT));
  t.match(await machine.setup('--yes'), {
    code: 1,
    output: /^debtorrent: cannot read [^\n]*30debtorrent-setup: [^\n]*\n$/,
  });
});

t.test('it says when APT could not run the method', async (t) => {
  const machine = new Machine(t, FILES);
  const here = dirname(dirname(MAIN));
  t.match(
    (await machine.setup('--print')).stdout,
    `note: ${here}/bin/apt-method is not there: the method works only where`,
  );
  for (const path of [`${here}/bin/apt-method`, process.execPath]) machine.write(path, '');
  t.notMatch((await machine.setup('--print')).stdout, /note:/);
  chmodSync(machine.path(here), 0o750);
  t.match((await machine.setup('--print')).stdout, `note: ${here} is closed to some:`);
  t.notMatch((await machine.setup('--print', '--proxy')).stdout, /note:/, 'another way needs no method');
});

t.test('one at a time', { skip: skipWithout('flock') }, async (t) => {
  const machine = new Machine(t, FILES);
  mkdirSync(machine.path('var/lib/debtorrent-setup'), { mode: 0o700 });
  const held = await run('flock', [
    machine.path('var/lib/debtorrent-setup'),
    ...[process.execPath, MAIN, 'setup', '--yes', '--root', machine.root],
  ]);
  t.equal(held.code, 1);
  t.match(held.output, /another setup is at work/);
  t.equal(machine.read('etc/apt/sources.list'), LIST);
});

t.test('a system without APT gets what it needs, and loses it again', async (t) => {
  const machine = new Machine(t);
  rmSync(machine.root, { recursive: true });
  mkdirSync(machine.root);
  machine.write('etc/apt/sources.list', LIST);
  const before = machine.snapshot();
  t.equal((await machine.setup('--yes')).code, 0);
  t.ok(existsSync(machine.path(METHOD)));
  await machine.setup('--undo');
  t.same(machine.snapshot(), before);
});
