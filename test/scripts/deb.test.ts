/** The Debian package by itself: its size, what is in it, what Debian's own checkers say, and that it runs. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { buildDeb } from '../../scripts/deb/main.ts';
import { debianVersion } from '../../scripts/deb/metadata.ts';
import { run, skipWithout } from '../support/process.ts';

t.setTimeout(600_000);

t.test('the Debian package', { skip: skipWithout('dpkg-deb', 'dpkg') }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'dt-deb-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const deb = buildDeb(directory);
  const root = join(directory, 'root');
  execFileSync('dpkg-deb', ['--raw-extract', deb, root]);

  await t.test('is under 15 MB', (t) => {
    t.ok(statSync(deb).size < 15_000_000, `${statSync(deb).size} bytes`);
    t.end();
  });

  await t.test('is the same each time, whatever the umask of whoever makes it', async (t) => {
    const before = process.umask();
    t.teardown(() => process.umask(before));
    for (const umask of [0o077, 0o000]) {
      process.umask(umask);
      const again = buildDeb(join(directory, 'again'));
      t.ok(readFileSync(again).equals(readFileSync(deb)), umask.toString(8));
    }
    t.same(
      readdirSync(directory).toSorted(),
      ['again', deb.slice(directory.length + 1), 'root'],
      'nothing else is left',
    );
  });

  await t.test('has no development packages, sources, or native code', async (t) => {
    const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
    t.notOk(names.some((name) => /\.(?:ts|map|node)$/.test(name)));
    for (const name of ['typescript', 'tap', 'playwright-core', 'oxlint', 'prettier'])
      t.notOk(
        names.some((path) => path.includes(`node_modules/${name}/`)),
        name,
      );
  });

  await t.test('has the program once: bundled, with a file for each thread', async (t) => {
    const dist = readdirSync(join(root, 'usr/share/debtorrent/dist'), { recursive: true, encoding: 'utf8' });
    t.ok(
      dist.every((name) => name === 'program' || name.startsWith('program/')),
      'nothing of what tsc has made',
    );
    const threads = ['fetch', 'hash', 'parser', 'swarm'].map((name) => `program/workers/${name}.worker.js`);
    for (const file of ['program/main/main.js', 'program/method/main.js', ...threads]) t.ok(dist.includes(file), file);
    const holders = dist.filter(
      (name) =>
        name.endsWith('.js') &&
        readFileSync(join(root, 'usr/share/debtorrent/dist', name), 'utf8').includes('function runMethod('),
    );
    t.same(holders, ['program/method/main.js'], 'and so the method');
  });

  await t.test('lintian finds no errors', { skip: skipWithout('lintian') }, async (t) => {
    const { code, output } = await run('lintian', ['--fail-on', 'error', '--tag-display-limit', '0', deb]);
    t.equal(code, 0, output);
  });

  await t.test('the program runs from it alone', async (t) => {
    const { stdout } = await run(process.execPath, [join(root, 'usr/share/debtorrent/bin/debtorrent'), '--help']);
    t.match(stdout, /^usage: debtorrent/);
    const port = '127.0.0.1:0';
    const program = join(root, 'usr/share/debtorrent/bin/debtorrent');
    const child = spawn(process.execPath, [
      ...[program, 'serve', '--listen', port, '--peer-listen', port, '--lan', 'off'],
      ...['--cache-dir', join(directory, 'cache'), '--dht', 'on', '--log-level', 'warn'],
      ...['--config', join(root, 'etc/debtorrent/debtorrent.toml')],
    ]);
    t.teardown(() => child.kill('SIGKILL'));
    const ended = once(child, 'close');
    let said = '';
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (/^ready /m.test(said)) child.kill('SIGTERM');
      });
    }
    t.same(await ended, [0, null], said);
    t.match(said, /^ready \{/m, 'with all its threads, and the configuration file as it comes');
  });

  await t.test('the service is one that systemd takes', { skip: skipWithout('systemd-analyze') }, async (t) => {
    const unit = join(root, 'usr/lib/systemd/system/debtorrent.service');
    const { output } = await run('systemd-analyze', ['verify', '--man=no', unit]);
    // the program is not installed where the test runs
    const said = output
      .split('\n')
      .filter((line) => line.includes('debtorrent.service') && !line.includes('not executable'));
    t.same(said, []);
  });

  await t.test('manual pages have no mistakes', { skip: skipWithout('groff', 'zcat') }, async (t) => {
    const pages = ['man1/debtorrent.1', 'man1/apt-transport-debtorrent.1', 'man5/debtorrent.toml.5'];
    for (const page of pages) {
      const { code, output } = await run('sh', [
        '-c',
        `zcat "$1" | groff -man -Tutf8 -ww -K utf8 >/dev/null`,
        'sh',
        join(root, `usr/share/man/${page}.gz`),
      ]);
      t.equal(code, 0);
      t.equal(output, '', page);
    }
  });

  await t.test('the shell completes commands, flags and values', { skip: skipWithout('bash') }, async (t) => {
    const script = join(root, 'usr/share/bash-completion/completions/debtorrent');
    const complete = async (...words: readonly string[]): Promise<string[]> => {
      const text = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _debtorrent; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await run('bash', ['-c', text, 'bash', script, 'debtorrent', ...words]);
      return stdout.trim().split('\n').toSorted();
    };
    t.same(await complete('st'), ['status']);
    t.same(await complete('status', '--w'), ['--watch']);
    t.same(await complete('serve', '--cache-'), ['--cache-dir', '--cache-size']);
    t.same(await complete('serve', '--lan', ''), ['off', 'on']);
  });
});

t.test('what npm orders before a release Debian orders before it too', { skip: skipWithout('dpkg') }, async (t) => {
  t.equal(debianVersion('2.0.0-alpha.1'), '2.0.0~alpha.1');
  const { code } = await run('dpkg', ['--compare-versions', debianVersion('2.0.0-alpha.1'), 'lt', '2.0.0']);
  t.equal(code, 0);
});
