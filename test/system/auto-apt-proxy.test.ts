/** Zero configuration: Debian's own auto-apt-proxy finds the daemon by a DNS record, and APT then fetches through it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run, skipWithout, skipWithoutApt } from '../support/process.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';
import { cacheDirectory } from './chroot-base.ts';
import type { Outcome } from './fixtures/auto-apt-proxy-network.ts';

const NETWORK = fileURLToPath(new URL('fixtures/auto-apt-proxy-network.js', import.meta.url));

function skip(): string | false {
  const missing = skipWithoutApt || skipWithout('unshare', 'nsenter', 'ip', 'hostname', 'flock');
  if (missing !== false) return missing;
  return process.getuid?.() === 0 ? skipWithoutMount() : 'not root';
}

/** The package, not installed, since it would change this machine's APT; undefined when APT cannot get it. */
async function fetchPackage(): Promise<string | undefined> {
  const cwd = join(cacheDirectory(), 'auto-apt-proxy');
  mkdirSync(cwd, { recursive: true });
  const script = 'ls ./*.deb >/dev/null 2>&1 || apt-get -qq download auto-apt-proxy';
  await run('flock', ['lock', 'sh', '-c', script], { cwd });
  const name = readdirSync(cwd).find((each) => each.endsWith('.deb'));
  return name && join(cwd, name);
}

t.setTimeout(600_000);

t.test('auto-apt-proxy finds the daemon by its SRV record', { skip: skip() }, async (t) => {
  const deb = await fetchPackage();
  if (deb === undefined) return t.plan(0, 'APT cannot get auto-apt-proxy here');
  const root = mkdtempSync(join(tmpdir(), 'dt-auto-apt-proxy-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  execFileSync('dpkg-deb', ['-x', deb, root]);
  const detector = join(root, 'usr/bin/auto-apt-proxy');
  t.ok(existsSync(detector));
  const namespaces = ['--net', '--mount', '--propagation', 'private'];
  const { code, output, stdout } = await run('unshare', [...namespaces, process.execPath, NETWORK, detector]);
  if (code !== 0) return void t.fail(output);
  const outcome = JSON.parse(stdout) as Outcome;
  t.not(outcome.without.code, 0, 'the client does not reach the mirror by itself');
  t.equal(outcome.updated.code, 0, outcome.updated.output);
  t.equal(outcome.downloaded.code, 0, outcome.downloaded.output);
  t.same(outcome.got, [outcome.has], 'the package of the archive');
  t.ok(outcome.servedBytes > 300_000, 'the daemon says that it served it');
  t.ok(outcome.mirrorBytes > 300_000, 'and the mirror that it was fetched');
});
