/** What the package's scripts do where something is amiss: the service does not start, the journal of setup is lost. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { run, skipWithout, type RunResult } from '../support/process.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
/** A system that systemd runs, with programs in place of those of systemd and of the package, and sources of its own. */
const SCRIPT = `
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system
mount --bind "$1/bin" /usr/local/bin
mount --bind "$1/apt" /etc/apt
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /usr/share && mkdir /usr/share/debtorrent && ln -s "$2/bin" /usr/share/debtorrent/
mount -t tmpfs tmpfs /var/cache
eval "$5"
sh "$2/packaging/$3" "$4" || exit
eval "$6"
`;
const WORKS = { 'deb-systemd-helper': '', 'deb-systemd-invoke': '', systemctl: '', debtorrent: '' };

/** @param programs names, and what they do */
async function script(
  t: Test,
  name: string,
  argument: string,
  programs: Readonly<Record<string, string>>,
  { sources = '', before = '', after = '' } = {},
): Promise<RunResult & { readonly sources: string }> {
  const directory = t.testdir();
  mkdirSync(join(directory, 'bin'));
  mkdirSync(join(directory, 'apt'));
  writeFileSync(join(directory, 'apt/sources.list'), sources);
  for (const [program, does] of Object.entries({ ...WORKS, ...programs })) {
    const path = join(directory, 'bin', program);
    writeFileSync(path, `#!/bin/sh\n${does}\n`);
    chmodSync(path, 0o755);
  }
  const args = ['sh', directory, CHECKOUT, name, argument, before, after];
  const result = await run('unshare', ['--mount', 'sh', '-ec', SCRIPT, ...args]);
  return { ...result, sources: readFileSync(join(directory, 'apt/sources.list'), 'utf8') };
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

const METHOD = 'deb debtorrent://localhost:9988/ftp.uk.debian.org/debian sid main\n';
/** `debtorrent setup --undo` where the journal knows nothing of the sources. */
const SAYS_WHAT = 'echo "$@" >&2';

t.test('sources that name the method are turned back also where the journal is lost', { skip }, async (t) => {
  const programs = { debtorrent: `${SAYS_WHAT}; sed -i s,debtorrent://localhost:9988/,http://, /etc/apt/sources.list` };
  t.match(await script(t, 'prerm', 'remove', programs, { sources: METHOD }), { code: 0, output: /^setup --undo\n$/ });
});

t.test('and nothing is undone where nothing was set up', { skip }, async (t) => {
  const sources = `# ${METHOD}`;
  t.match(await script(t, 'prerm', 'remove', { debtorrent: SAYS_WHAT }, { sources }), {
    code: 0,
    output: /^$/,
    sources,
  });
});

t.test('sources that somebody wrote go with the method, too', { skip: skip || skipWithout('perl') }, async (t) => {
  const sources = `${METHOD}deb debtorrent://[::1]:9988/HTTPS///mirror.example.org/debian sid main\n# a comment\n`;
  t.match(await script(t, 'prerm', 'remove', { debtorrent: SAYS_WHAT }, { sources }), {
    code: 0,
    output: /^setup --undo\n(?:setup --undo\n)?debtorrent: sources that were not from setup [^\n]*\n$/,
    sources:
      'deb http://ftp.uk.debian.org/debian sid main\ndeb https://mirror.example.org/debian sid main\n# a comment\n',
  });
});

t.test('and those in lists of mirrors', { skip: skip || skipWithout('perl') }, async (t) => {
  const sources = 'deb mirror+file:/etc/apt/mirrors/m.list sid main\n';
  const list = '/etc/apt/mirrors/m.list';
  const before = `mkdir -p /etc/apt/mirrors/more; echo debtorrent://localhost:9988/ftp.uk.debian.org/debian >${list}`;
  t.match(await script(t, 'prerm', 'remove', { debtorrent: SAYS_WHAT }, { sources, before, after: `cat ${list}` }), {
    code: 0,
    output: /^setup --undo\ndebtorrent: sources that were not [^\n]*\nhttp:\/\/ftp.uk.debian.org\/debian\n$/,
    sources,
  });
});

t.test('wherever these are, and only those that sources name', { skip: skip || skipWithout('perl') }, async (t) => {
  const sources =
    'deb [arch=amd64] mirror+file:///etc/apt/own/m.list sid main\n# deb mirror+file:/etc/apt/off.list sid main\n';
  const line = 'debtorrent://localhost:9988/ftp.uk.debian.org/debian';
  const before = `mkdir /etc/apt/mirrors /etc/apt/own; cd /etc/apt; echo ${line} | tee own/m.list mirrors/m.list.bak >off.list`;
  const after = 'cat own/m.list mirrors/m.list.bak off.list';
  t.match(await script(t, 'prerm', 'remove', { debtorrent: SAYS_WHAT }, { sources, before, after }), {
    code: 0,
    output: `setup --undo
debtorrent: sources that were not from setup named it: they name their mirrors now
http://ftp.uk.debian.org/debian
${line}
${line}
`,
  });
});

t.test('where they cannot be turned back the package stays', { skip }, async (t) => {
  const before = 'rm /usr/share/debtorrent/bin';
  t.match(await script(t, 'prerm', 'remove', { debtorrent: SAYS_WHAT }, { sources: METHOD, before }), {
    code: 1,
    output: /debtorrent: APT still goes through it, so it stays/,
    sources: METHOD,
  });
});

t.test('purge removes the cache, and empties a disk of its own', { skip }, async (t) => {
  const make = 'mkdir -p /var/cache/private/debtorrent; ln -s private/debtorrent /var/cache/debtorrent;';
  const fill = 'mkdir /var/cache/debtorrent/files; touch /var/cache/debtorrent/files/x /var/cache/debtorrent/.y;';
  const after = 'find /var/cache -mindepth 1 -printf "%P\\n" | sort';
  t.match(await script(t, 'postrm', 'purge', {}, { before: make + fill, after }), { code: 0, output: /^private\n$/ });
  const disk = 'mount -t tmpfs tmpfs /var/cache/private/debtorrent;';
  t.match(await script(t, 'postrm', 'purge', {}, { before: make + disk + fill, after }), {
    code: 0,
    output: /^private\nprivate\/debtorrent\n$/,
  });
});
