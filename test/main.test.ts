import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MAIN } from './support/daemon.ts';
import { run } from './support/process.ts';

const debtorrent = (...args: string[]) => run(process.execPath, [MAIN, ...args]);
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

t.test('--version prints the version and nothing else', async (t) => {
  t.match(await debtorrent('--version'), { code: 0, output: `${version}\n` });
});

t.test('a working directory that was removed is no reason to fail', async (t) => {
  const gone = join(t.testdir(), 'gone');
  const there = (command: string) =>
    run('sh', [
      '-c',
      `mkdir -p "$1" && cd "$1" && rmdir "$1" && exec "$2" "$3" ${command}`,
      'sh',
      gone,
      process.execPath,
      MAIN,
    ]);
  t.match(await there('status --listen=127.0.0.1:9'), { code: 1, output: /^debtorrent: no daemon [^\n]+\n$/ });
  t.match(await there('setup --print --root=below'), { code: 2, output: /^debtorrent: --root: 'below' is [^\n]+\n$/ });
});

t.test('a checkout that has not been built says so in one line', async (t) => {
  const copy = join(t.testdir({ bin: {}, 'package.json': '{"type":"module"}' }), 'bin/debtorrent');
  cpSync(MAIN, copy);
  t.match(await run(process.execPath, [copy, 'setup']), {
    code: 1,
    stdout: '',
    output: /^debtorrent: [^\n]*npm start[^\n]*\n$/,
  });
});

t.test('--help is for standard output', async (t) => {
  t.match(await debtorrent('--help'), { code: 0, stdout: /^usage: debtorrent / });
});

t.test('bad configuration: one line with the key and the value, exit 2', async (t) => {
  const cache = t.testdir();
  t.match(await debtorrent('--listen', 'nowhere'), {
    code: 2,
    stdout: '',
    output: /^debtorrent: --listen: 'nowhere' is not [^\n]+\n$/,
  });
  t.match(await debtorrent('serve', '--bogus'), { code: 2, output: /^debtorrent: '--bogus' is not a flag[^\n]*\n$/ });
  t.match(await debtorrent('--config', '/nonexistent.toml'), {
    code: 2,
    output: /^debtorrent: config: '\/nonexistent.toml' cannot/,
  });
  for (const [flag, path, why] of [
    ['keyring', '/nonexistent.gpg', /cannot be read \(ENOENT\)/],
    ['public-keyring', '/', /is a directory/],
  ] as const) {
    const { code, stdout, output } = await debtorrent(
      '--listen=127.0.0.1:0',
      `--cache-dir=${cache}`,
      `--${flag}`,
      path,
    );
    t.match({ code, stdout }, { code: 2, stdout: '' });
    t.ok(output.startsWith(`debtorrent: ${flag}: '${path}' `), output);
    t.match(output, why);
    t.equal(output.trim().split('\n').length, 1, output);
  }
  t.match(await debtorrent('status', '--listen=127.0.0.1:0'), { code: 2 });
});

t.test('an address that this machine does not have, or not yet: one line, exit 1', async (t) => {
  // systemd starts a service again after 1, and not after 2
  const flags = ['--config=/dev/null', `--cache-dir=${t.testdir()}`, '--log-level=silent', '--lan=off'];
  for (const addresses of [
    ['--listen=192.0.2.1:9', '--peer-listen=off'],
    ['--listen=127.0.0.1:0', '--peer-listen=192.0.2.1:9'],
  ])
    t.match(await debtorrent('serve', ...flags, ...addresses), {
      code: 1,
      stdout: '',
      output: /^debtorrent: cannot listen [^\n]*192\.0\.2\.1:9[^\n]*\n$/,
    });
});

t.test('without a home only what works on the cache has to be told where it is', async (t) => {
  const bare = (...args: string[]) => run(process.execPath, [MAIN, ...args], { env: { PATH: '/usr/bin:/bin' } });
  for (const command of [['serve'], ['seed', '/etc/hosts']])
    t.match(await bare(...command), {
      code: 2,
      output: /^debtorrent: cache-dir: '' is not a path/,
    });
  t.match(await bare('status', '--listen=127.0.0.1:1'), { code: 1, output: /127\.0\.0\.1:1/ });
  const root = t.testdir({ etc: { apt: { 'sources.list': 'deb http://ftp.us.debian.org/debian sid main\n' } } });
  t.match(await bare('setup', '--print', '--root', root), { code: 0, output: /^\+deb debtorrent:/m });
  t.match(await bare('tracker', '--listen=192.0.2.1:1'), { code: 1, output: /192\.0\.2\.1/ });
});

t.test('an unknown command: one line, exit 2', async (t) => {
  const { code, output } = await debtorrent('fetch');
  t.equal(code, 2);
  t.match(output, /^debtorrent: [^\n]*fetch[^\n]*\n$/);
});

t.test('standard output that cannot be written: one line, exit 1; a reader that has gone is no error', async (t) => {
  const shell = (command: string) => run('sh', ['-c', command, 'sh', process.execPath, MAIN]);
  t.match(await shell('"$1" "$2" --help > /dev/full'), {
    code: 1,
    output: /^debtorrent: standard output cannot be written: [^\n]+\n$/,
  });
  t.match(await shell('{ "$1" "$2" --help; echo "$?" >&2; } | true'), { output: '0\n' });
});
