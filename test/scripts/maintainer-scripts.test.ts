/** What the package's scripts do where something is amiss: the service does not start, the journal of setup is lost. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { run, type RunResult } from '../support/process.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';

const PACKAGING = fileURLToPath(new URL('../../../packaging/', import.meta.url));
/** A system that systemd runs, with programs in place of those of systemd and of the package, and sources of its own. */
const SCRIPT = `
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system
mount --bind "$1/bin" /usr/local/bin
mount --bind "$1/apt" /etc/apt
mount -t tmpfs tmpfs /var/lib
exec sh "$2" "$3"
`;
const WORKS = { 'deb-systemd-helper': '', 'deb-systemd-invoke': '', systemctl: '', debtorrent: '' };

/** @param programs names, and what they do */
function script(
  t: Test,
  name: string,
  argument: string,
  programs: Readonly<Record<string, string>>,
  sources = '',
): Promise<RunResult> {
  const directory = t.testdir();
  mkdirSync(join(directory, 'bin'));
  mkdirSync(join(directory, 'apt'));
  writeFileSync(join(directory, 'apt/sources.list'), sources);
  for (const [program, does] of Object.entries({ ...WORKS, ...programs })) {
    const path = join(directory, 'bin', program);
    writeFileSync(path, `#!/bin/sh\n${does}\n`);
    chmodSync(path, 0o755);
  }
  return run('unshare', ['--mount', 'sh', '-ec', SCRIPT, 'sh', directory, join(PACKAGING, name), argument]);
}

const skip = skipWithoutMount();

t.test('a service that starts is not talked about', { skip }, async (t) => {
  t.match(await script(t, 'postinst', 'configure', {}), { code: 0, output: /^$/ });
});

t.test('one that does not start is, and the package is installed all the same', { skip }, async (t) => {
  t.match(await script(t, 'postinst', 'configure', { 'deb-systemd-invoke': 'exit 1' }), {
    code: 0,
    output: /^debtorrent: its service did not start; journalctl -u debtorrent says why[^\n]*\n$/,
  });
});

t.test('without Node that is what is said', { skip }, async (t) => {
  const programs = { 'deb-systemd-invoke': 'exit 1', debtorrent: 'exit 1' };
  t.match(await script(t, 'postinst', 'configure', programs), {
    code: 0,
    output: /^debtorrent: it needs Node [^\n]*\n$/,
  });
});

t.test('sources that name the method are turned back also where the journal is lost', { skip }, async (t) => {
  const programs = { debtorrent: 'echo "$@" >&2' };
  const sources = 'deb debtorrent://localhost:9988/deb.debian.org/debian sid main\n';
  t.match(await script(t, 'prerm', 'remove', programs, sources), { code: 0, output: /^setup --undo\n$/ });
});

t.test('and nothing is undone where nothing was set up', { skip }, async (t) => {
  const programs = { debtorrent: 'echo "$@" >&2' };
  const sources = '# deb debtorrent://localhost:9988/deb.debian.org/debian sid main\n';
  t.match(await script(t, 'prerm', 'remove', programs, sources), { code: 0, output: /^$/ });
});
