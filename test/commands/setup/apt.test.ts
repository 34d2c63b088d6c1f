/** The real APT on what setup wrote: through a real daemon, and back. */
import { readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { run, skipWithoutApt, until } from '../../support/process.ts';
import { sha256 } from '../../support/random.ts';
import { Scene } from '../../support/scene.ts';
import { Machine } from './machine.ts';

t.setTimeout(600_000);

async function start(t: Test, listen?: string): Promise<{ scene: Scene; machine: Machine; settings: string[] }> {
  const scene = await Scene.start(t, {
    state: {
      add: [
        { name: 'one', size: 30_000 },
        { name: 'two', component: 'contrib' },
      ],
    },
    ...(listen !== undefined && { daemon: { listen } }),
  });
  const { keyring } = scene.keys;
  const uri = `${scene.mirror.url}/debian`;
  const machine = new Machine(t, {
    'etc/apt/sources.list': `deb [signed-by=${keyring} arch=amd64]\t${uri}/  trixie main # one line\n`,
    'etc/apt/sources.list.d/x.sources': `Types: deb\nURIs:\n# comment\n ${uri}\nSuites: trixie\nComponents: contrib\nSigned-By: ${keyring}\n`,
  }).withMethods();
  const settings = ['--listen', scene.daemon.ready.http, '--allow-mirror', scene.mirror.host];
  return { scene, machine, settings };
}

async function download(machine: Machine, name: string): Promise<{ sha256: string; output: string }> {
  const directory = machine.path('var/cache/apt/archives');
  const { output } = await machine.apt('apt-get', '-qy', 'install', '--download-only', name);
  const file = readdirSync(directory).find((each) => each.startsWith(`${name}_`));
  return { sha256: file === undefined ? '' : sha256(readFileSync(`${directory}/${file}`)), output };
}

t.test(
  'APT updates and downloads through the daemon, and from the mirror after undo',
  { skip: skipWithoutApt },
  async (t) => {
    const { scene, machine, settings } = await start(t);
    const { archive, daemon, mirror } = scene;
    const before = machine.snapshot();
    const done = await machine.command('--yes', ...settings);
    t.equal(done.code, 0, done.output);
    const releases = await machine.releases();
    t.ok(
      releases.length > 0 && releases.every((uri) => uri.startsWith(`debtorrent://localhost:${daemon.port}/`)),
      releases.join('\n'),
    );

    const updated = await machine.apt('apt-get', 'update');
    t.equal(updated.code, 0, updated.output);
    t.notMatch(updated.output, /^(Err|Ign|W:|E:)/m);
    const policy = await machine.apt('apt-cache', 'policy', 'two');
    t.match(policy.stdout, `debtorrent://localhost:${daemon.port}/${mirror.host}/debian trixie/contrib amd64 Packages`);
    const one = await download(machine, 'one');
    t.equal(one.sha256, archive.file('one').sha256, one.output);
    t.ok(((await daemon.status()).totals['served_bytes'] ?? 0) > archive.file('one').size);

    const undone = await machine.command('--undo');
    t.equal(undone.code, 0, undone.output);
    const [sources, restored] = [before, machine.snapshot()].map((all) =>
      Object.entries(all).filter(([path]) => path.startsWith('etc') || path.startsWith('usr')),
    );
    t.same(restored, sources);
    await daemon.kill9();
    const again = await machine.apt('apt-get', 'update');
    t.equal(again.code, 0, again.output);
    const two = await download(machine, 'two');
    t.equal(two.sha256, archive.file('two').sha256, two.output);
  },
);

t.test(
  'the proxy way: through the daemon, and from the mirror when it is gone',
  { skip: skipWithoutApt },
  async (t) => {
    const { scene, machine, settings } = await start(t);
    const { archive, daemon } = scene;
    const before = machine.snapshot();
    // both ways, one after the other: the second takes the place of the first
    await machine.setup('--yes', ...settings);
    const done = await machine.command('--yes', '--proxy', ...settings);
    t.equal(done.code, 0, done.output);
    t.equal(machine.read('etc/apt/sources.list'), before['etc/apt/sources.list']?.replace(/^.*? .*? \d+ /, ''));
    t.notOk(machine.snapshot()['usr/lib/apt/methods/debtorrent']);
    // the helper's path is seen from inside
    const conf = machine.read('etc/apt/apt.conf.d/30debtorrent-setup');
    const [, helper = ''] = /Proxy-Auto-Detect "(.*)";/.exec(conf) ?? [];
    machine.write('etc/apt/apt.conf.d/99test', `Acquire::http::Proxy-Auto-Detect "${machine.path(helper)}";\n`);
    const updated = await machine.apt('apt-get', 'update');
    t.equal(updated.code, 0, updated.output);
    t.notMatch(updated.output, /^(Err|Ign|W:|E:)/m);
    const one = await download(machine, 'one');
    t.equal(one.sha256, archive.file('one').sha256, one.output);
    t.ok(((await daemon.status()).totals['served_bytes'] ?? 0) > archive.file('one').size, 'through the daemon');
    await daemon.kill9();
    const two = await download(machine, 'two');
    t.equal(two.sha256, archive.file('two').sha256, two.output);
    await run('rm', [machine.path('etc/apt/apt.conf.d/99test')]);
    const undone = await machine.command('--undo');
    t.equal(undone.code, 0, undone.output);
    const files = (all: Record<string, string>) => Object.entries(all).filter(([path]) => !path.startsWith('var'));
    t.same(files(machine.snapshot()), files(before));
  },
);

for (const listen of ['[::1]:0', '127.0.0.2:0']) {
  t.test(`a daemon that listens on ${listen} alone`, { skip: skipWithoutApt }, async (t) => {
    const { scene, machine, settings } = await start(t, listen);
    for (const way of [[], ['--proxy']]) {
      const done = await machine.command('--yes', ...way, ...settings);
      t.equal(done.code, 0, done.output);
      if (way.length > 0) {
        const [, helper = ''] = /Detect "(.*)";/.exec(machine.read('etc/apt/apt.conf.d/30debtorrent-setup')) ?? [];
        machine.write('etc/apt/apt.conf.d/99test', `Acquire::http::Proxy-Auto-Detect "${machine.path(helper)}";\n`);
      }
      const before = scene.daemon.logged('"msg":"request"').length;
      const updated = await machine.apt('apt-get', 'update');
      t.equal(updated.code, 0, updated.output);
      t.notMatch(updated.output, /^(Err|Ign|W:|E:)/m);
      // Its log is written some moments later.
      await until('a request in the log', () => scene.daemon.logged('"msg":"request"').length > before);
    }
  });
}
