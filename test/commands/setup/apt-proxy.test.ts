/** What setup says of other proxies in APT's configuration. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import t from 'tap';

import { run, skipWithout } from '../../support/process.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

const OTHER = 'etc/apt/apt.conf.d/auto-apt-proxy.conf';
const HELPER = '/usr/local/lib/debtorrent/proxy-detect';
const skip = skipWithout('apt-config');

t.test('setup --proxy says when another helper is in force', { skip }, async (t) => {
  const conf = 'Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";\n';
  const machine = new Machine(t, { [OTHER]: conf });
  const note =
    /\nnote: this has no effect: Acquire::http::Proxy-Auto-Detect is '\/usr\/bin\/auto-apt-proxy', by [^\n]*\n$/;
  const done = await machine.command('--yes', '--proxy');
  t.match(done, { code: 0, stdout: /\ndone; setup --undo/ });
  t.match(done.stdout, note);
  const again = await machine.setup('--yes', '--proxy');
  t.match(again.stdout, /nothing to change\n/);
  t.match(again.stdout, note, 'nor is it in force the next time');
  machine.write(OTHER, '#clear Acquire::http::Proxy-Auto-Detect;\n');
  t.match((await machine.setup('--yes', '--proxy')).stdout, /Proxy-Auto-Detect is not set, by/);
  t.notMatch((await machine.setup('--yes')).stdout, /note: this has/, 'the method needs no helper');
});

t.test('and says nothing when its own is', { skip }, async (t) => {
  const files = {
    'etc/apt/apt.conf.d/00first': 'Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";\n',
    // the spelling with a dash comes first for APT
    'etc/apt/apt.conf.d/99old': 'Acquire::http::ProxyAutoDetect "/usr/bin/other";\n',
  };
  const machine = new Machine(t, files);
  const done = await machine.setup('--yes', '--proxy');
  t.equal(done.code, 0, done.output);
  t.notMatch(done.stdout, /^note:/m);
  const { stdout } = await machine.apt('apt-config', 'dump', 'Acquire::http::Proxy-Auto-Detect');
  t.match(stdout, HELPER);
  machine.write('etc/apt/apt.conf', '#clear Acquire::http::Proxy-Auto-Detect;\n');
  t.match((await machine.setup('--yes', '--proxy')).stdout, /Proxy-Auto-Detect is '\/usr\/bin\/other', by/);
});

t.test('a general proxy: the daemon does not use it, and must not be it', { skip }, async (t) => {
  const machine = new Machine(t, { [OTHER]: 'Acquire::http::Proxy "http://me:secret@proxy.example.org:3128/";\n' });
  for (const way of [[], ['--proxy']]) {
    const { stdout } = await machine.setup('--print', ...way);
    t.match(stdout, /\nnote: Acquire::http::Proxy is set, but the daemon asks mirrors directly/);
    t.notMatch(stdout, /secret/);
  }
  machine.write(OTHER, 'Acquire::http::Proxy "http://LocalHost:9988/";\n');
  t.match(
    (await machine.setup('--print', '--proxy')).stdout,
    /\nnote: Acquire::http::Proxy names the daemon: APT fails/,
  );
  machine.write(OTHER, 'Acquire::http::Proxy "DIRECT";\n');
  t.notMatch((await machine.setup('--print', '--proxy')).stdout, /^note:/m);
  t.notMatch((await machine.setup('--undo', '--print')).stdout, /^note:/m);
});

t.test('hosts that APT has passwords for are asked without the daemon', async (t) => {
  const auth = [
    'machine http://A.example.org/debian login me password secret',
    'machine [2001:db8::1]:80 login me password secret',
    'machine $(reboot).example.org login me password secret',
  ];
  const machine = new Machine(t, { 'etc/apt/auth.conf.d/x.conf': `${auth.join('\n')}\n` });
  const before = machine.snapshot();
  const done = await machine.setup('--yes', '--proxy');
  t.match(done.stdout, /\nnote: APT has a password for [^\n]*a\.example\.org: it asks there without the daemon/);
  t.notMatch(machine.read(HELPER), 'reboot');
  const daemon = createServer((_, response) => response.end('debtorrent: ok\n'));
  await new Promise<void>((resolve) => daemon.listen(0, '127.0.0.1', resolve));
  t.teardown(() => daemon.close());
  const proxy = `127.0.0.1:${(daemon.address() as AddressInfo).port}`;
  const env = { PATH: process.env['PATH'], DEBTORRENT_PROXY: proxy };
  for (const [uri, said] of [
    ['http://a.example.org', ''],
    ['http://A.Example.org:80/debian', ''],
    ['http://[2001:db8::1]/', ''],
    ['http://b.example.org', `http://${proxy}\n`],
    ['http://example.org', `http://${proxy}\n`],
  ] as const) {
    t.match(await run(machine.path(HELPER), [uri], { env }), { code: 0, stdout: said }, uri);
  }
  machine.write('etc/apt/auth.conf.d/x.conf', '');
  t.notMatch((await machine.setup('--yes', '--proxy')).stdout, /APT has a password/);
  t.match(await run(machine.path(HELPER), ['http://a.example.org'], { env }), { stdout: `http://${proxy}\n` });
  machine.write('etc/apt/auth.conf.d/x.conf', `${auth.join('\n')}\n`);
  await machine.setup('--undo');
  t.same(machine.snapshot(), before);
});
