/** The Debian package in roots of Debian systems: installed, used, upgraded, removed, and purged without a trace. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import t, { type Test } from 'tap';
import { buildDeb } from '../../scripts/deb/main.ts';
import { run, type RunResult } from '../support/process.ts';
import { Chroot, skipWithoutChroot, suites } from './chroot-base.ts';

t.setTimeout(600_000);

/** What dpkg and APT keep of their own work. */
const NOT_OURS =
  /^(?:var\/(?:lib\/(?:dpkg|apt)|cache\/(?:apt|debconf|ldconfig)|log)|tmp|proc|sys|dev|run|root)(?:\/|$)/;
const CONFIGURATION = 'etc/debtorrent/debtorrent.toml';

/** Without what links lead to: var/run leads to that of the machine, where others come and go. */
function pathsOf(root: string): string[] {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const names = entries.map(({ parentPath, name }) => relative(root, join(parentPath, name)));
  return names.filter((name) => !NOT_OURS.test(name)).toSorted();
}

/** Runs a program in the root, with this machine's Node as one from elsewhere or without it. */
function inside(root: string, node: string | undefined, ...command: readonly string[]): Promise<RunResult> {
  const script = `set -e
    mount -t proc proc "$1/proc"
    if [ -n "$2" ]; then
      mkdir -p "$1/usr/local/bin"
      touch "$1/usr/local/bin/node"
      mount --bind "$2" "$1/usr/local/bin/node"
    fi
    root=$1; shift 2
    exec chroot "$root" "$@"`;
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    HOME: '/root',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', root, node ?? '', ...command];
  return run('unshare', args, { env });
}

async function lifeCycle(t: Test, root: string, node: string | undefined, debs: readonly [string, string]) {
  const go = async (what: string, ...command: readonly string[]): Promise<RunResult> => {
    const result = await inside(root, node, ...command);
    t.equal(result.code, 0, `${what}\n${result.code === 0 ? '' : result.output.slice(-3000)}`);
    return result;
  };
  const apt = (...args: readonly string[]) => ['apt-get', '-y', '-qq', '-o', 'Dpkg::Use-Pty=0', ...args];
  for (const deb of debs) copyFileSync(deb, join(root, 'tmp', basename(deb)));
  const [first, second] = debs.map((deb) => `/tmp/${basename(deb)}`) as [string, string];
  await go('lists', ...apt('update'));
  await go(
    'what it needs',
    ...apt('install', '--no-install-recommends', 'xz-utils', ...(node === undefined ? ['nodejs'] : [])),
  );
  const before = pathsOf(root);

  const installed = await go('install', ...apt('install', '--no-install-recommends', first));
  t.notMatch(installed.output, 'it needs Node', 'it has found Node');
  t.match((await go('the program runs', 'debtorrent', '--version')).stdout, /^\d/);
  t.ok(existsSync(join(root, 'etc/systemd/system/multi-user.target.wants')), 'the service starts with the machine');
  const through = await go(
    'APT goes through it, by the method, with rights given up',
    'sh',
    '-ec',
    `debtorrent serve --cache-dir /var/cache/debtorrent --peer-listen off --listen 127.0.0.1:0 --log-level silent >/tmp/out &
     pid=$!
     trap 'kill $pid' EXIT
     until grep -q ^ready /tmp/out; do kill -0 $pid; sleep 0.1; done
     port=$(sed 's/.*"127.0.0.1:\\([0-9]*\\)".*/\\1/' /tmp/out)
     debtorrent status --listen 127.0.0.1:$port
     debtorrent setup --yes --listen 127.0.0.1:$port
     apt-get update
     cd /tmp
     apt-get download hostname
     debtorrent setup --undo`,
  );
  t.match(through.stdout, 'It works, and waits for APT.');
  t.match(through.stdout, /^Get:\d+ debtorrent:\/\/localhost:\d+\/\S+ \S+ InRelease/m);
  t.match(through.stdout, /^Get:\d+ debtorrent:\/\/\S+ .* hostname /m);
  t.notMatch(through.output, /apt-method/, 'the launcher says nothing');
  t.notMatch(through.output, /^(?:Err|Ign|W:|E:|Warning|Error)/m, 'and nothing comes from elsewhere');

  const file = join(root, CONFIGURATION);
  const configuration = `${readFileSync(file, 'utf8')}cache-size = "1G"\n`;
  await go('somebody edits the configuration', 'sh', '-c', `echo 'cache-size = "1G"' >>/${CONFIGURATION}`);
  await go('upgrade', ...apt('install', '--no-install-recommends', second));
  t.equal(readFileSync(file, 'utf8'), configuration, 'the configuration is kept');

  const sources = () => sourcesOf(root);
  const plain = sources();
  if (node === undefined) {
    chmodSync(join(root, 'usr/share/debtorrent'), 0o700);
    const refused = await inside(root, node, 'debtorrent', 'setup', '--yes');
    t.match(refused, { code: 1, output: /nothing was changed: \/usr\/bin\/node cannot become user _apt/ });
    t.same(sources(), plain, 'setup writes no source for a method that cannot work');
    chmodSync(join(root, 'usr/share/debtorrent'), 0o755);
  }
  await go('setup', 'debtorrent', 'setup', '--yes', '--allow-mirror', '*');
  t.strictNotSame(sources(), plain, 'sources go through the method');
  await go('remove', ...apt('remove', 'debtorrent'));
  t.same(sources(), plain, 'sources are as they were');
  if (node !== undefined) await removeWithoutNode(t, root, node, second);
  t.ok(existsSync(file), 'the configuration stays');
  t.notOk(existsSync(join(root, 'usr/bin/debtorrent')));
  await go('purge', ...apt('purge', 'debtorrent'));
  t.same(pathsOf(root), before, 'nothing is left');
}

/** Whoever removes a Node from elsewhere first: `node` is only there while a program has it mounted. */
async function removeWithoutNode(t: Test, root: string, node: string, deb: string): Promise<void> {
  const plain = sourcesOf(root);
  const setUp = `dpkg --install ${deb} && debtorrent setup --yes --allow-mirror '*'`;
  t.match(await inside(root, node, 'sh', '-ec', setUp), { code: 0 });
  const changed = sourcesOf(root);
  t.strictNotSame(changed, plain);
  const journal = join(root, 'var/lib/debtorrent-setup/journal.json');
  const noted = readFileSync(journal);
  writeFileSync(journal, 'nonsense');
  rmSync(join(root, 'usr/local/bin/node'));
  const kept = await inside(root, undefined, 'dpkg', '--remove', 'debtorrent');
  t.match(kept, { code: 1, output: /damaged[^]*APT still goes through it, so it stays: turn debtorrent:\/\/ back/ });
  t.ok(existsSync(join(root, 'usr/lib/apt/methods/debtorrent')), 'APT can go on');
  t.same(sourcesOf(root), changed);
  writeFileSync(journal, noted);
  t.match(await inside(root, undefined, 'dpkg', '--remove', 'debtorrent'), { code: 0 });
  t.same(sourcesOf(root), plain, 'sources are as they were, without Node');
  t.notOk(existsSync(join(root, 'usr/bin/debtorrent')));
}

function sourcesOf(root: string): unknown[] {
  return ['sources.list', 'sources.list.d'].map((name) => readTree(join(root, 'etc/apt', name)));
}

function readTree(path: string): unknown {
  if (!existsSync(path)) return undefined;
  try {
    return readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')]);
  } catch {
    return readFileSync(path, 'utf8');
  }
}

t.test('installed, used, upgraded, removed, purged', { skip: skipWithoutChroot() }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'dt-deb-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const debs = [buildDeb(directory), buildDeb(directory, '99.0.0')] as const;
  for (const suite of suites()) {
    const chroot = await Chroot.make(t, suite);
    await t.test(suite, { skip: typeof chroot === 'string' && chroot }, async (t) => {
      if (typeof chroot === 'string') return;
      // where Debian's own Node is too old, this machine's stands for one from elsewhere
      await lifeCycle(t, chroot.root, suite === 'bookworm' ? process.execPath : undefined, debs);
    });
  }
});
