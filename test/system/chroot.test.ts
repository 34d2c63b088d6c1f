/** From `debtorrent setup` to an installed package and back, in roots of Debian systems: APT 2 and APT 3, dpkg, _apt. */
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { skipWithoutApt } from '../support/process.ts';
import { Scene } from '../support/scene.ts';
import { Chroot, skipWithoutChroot, suites } from './chroot-base.ts';

const skip = skipWithoutApt || skipWithoutChroot();
t.setTimeout(600_000);

/** Paths below a directory, with what has to come back. */
function snapshot(root: string, directory: string): string[] {
  const names = readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' }).toSorted();
  return names.map((name) => {
    const path = join(root, directory, name);
    const { mode, uid, gid, mtimeNs } = lstatSync(path, { bigint: true });
    const isFile = lstatSync(path).isFile();
    return `${name} ${mode} ${uid}:${gid}${isFile ? ` ${mtimeNs} ${readFileSync(path, 'latin1')}` : ''}`;
  });
}

async function throughAptAndBack(t: Test, scene: Scene, chroot: Chroot): Promise<void> {
  const { root } = chroot;
  const { archive, daemon, mirror } = scene;
  const keyring = '/usr/share/keyrings/test.gpg';
  cpSync(scene.keys.keyring, join(root, keyring));
  rmSync(join(root, 'etc/apt/sources.list.d'), { recursive: true, force: true });
  chroot.write(
    '/etc/apt/sources.list',
    `# two files, two formats\ndeb [signed-by=${keyring}] ${mirror.url}/debian trixie main\n`,
  );
  chroot.write(
    '/etc/apt/sources.list.d/test.sources',
    `Types: deb\nURIs: ${mirror.url}/debian/\nSuites: trixie\nComponents: contrib\nSigned-By: ${keyring}\n`,
  );
  const before = ['etc/apt', 'usr/lib/apt'].map((directory) => snapshot(root, directory));

  const settings = ['--listen', daemon.ready.http, '--allow-mirror', mirror.host];
  const done = await chroot.debtorrent('setup', '--yes', ...settings);
  t.equal(done.code, 0, done.output);
  const served = async () => (await daemon.status()).totals['served_bytes'] ?? 0;
  const servedBefore = await served();
  const updated = await chroot.run('apt-get', 'update');
  t.equal(updated.code, 0, updated.output);
  t.notMatch(updated.output, /^(Err|Ign|W:|E:|Warning|Error)/m);
  t.match(updated.output, `debtorrent://localhost:${daemon.port}/${mirror.host}/debian trixie InRelease`);
  const installed = await chroot.run('apt-get', '-y', '-o', 'Dpkg::Use-Pty=0', 'install', 'tool');
  t.equal(installed.code, 0, installed.output);
  t.match((await chroot.run('dpkg-query', '-W', 'tool', 'needed')).stdout, /needed\s+1\.0-1\ntool\s+1\.0-1\n/);
  t.equal(readFileSync(join(root, 'usr/share/tool/payload')).length, 30_000);
  t.ok((await served()) - servedBefore > archive.file('tool').size, 'through the daemon');

  const undone = await chroot.debtorrent('setup', '--undo');
  t.equal(undone.code, 0, undone.output);
  t.same(
    ['etc/apt', 'usr/lib/apt'].map((directory) => snapshot(root, directory)),
    before,
  );
  t.notOk(existsSync(join(root, 'var/lib/debtorrent-setup')));
  const servedUntilNow = await served();
  t.equal((await chroot.run('apt-get', 'update')).code, 0);
  const direct = await chroot.run('apt-get', '-y', '-o', 'Dpkg::Use-Pty=0', 'install', 'other');
  t.equal(direct.code, 0, direct.output);
  t.equal(await served(), servedUntilNow, 'and no more');
}

t.test('setup, update, install by dpkg, undo', { skip }, async (t) => {
  const scene = await Scene.start(t, {
    state: {
      add: [
        { name: 'tool', size: 30_000, depends: 'needed' },
        { name: 'needed', component: 'contrib' },
        { name: 'other' },
      ],
    },
  });
  const roots = await Promise.all(suites().map(async (suite) => [suite, await Chroot.make(t, suite)] as const));
  for (const [suite, chroot] of roots) {
    await t.test(suite, async (t) => {
      if (typeof chroot === 'string') t.plan(0, chroot);
      else await throughAptAndBack(t, scene, chroot);
    });
  }
});
