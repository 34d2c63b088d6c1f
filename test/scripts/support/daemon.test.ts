/** A daemon that is measured has the settings it is given, and none of this machine or of whoever measures. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { daemonStatus, startDaemon } from '../../../scripts/support/daemon.ts';
import { createScope } from '../../../scripts/support/scope.ts';
import { skipWithoutMount } from '../../support/tmpfs.ts';

function scene(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'dt-measured-'));
  const scope = createScope();
  t.teardown(async () => {
    await scope.close();
    rmSync(directory, { recursive: true });
  });
  const start = (through: readonly string[] = []) =>
    startDaemon(scope, {
      cacheDir: join(directory, 'cache'),
      port: 0,
      mirrors: [],
      logFile: join(directory, 'log'),
      through,
    });
  return { directory, start };
}

t.test('no variable of the environment sets anything', async (t) => {
  const { directory, start } = scene(t);
  const settings = {
    DEBTORRENT_CONFIG: join(directory, 'none.toml'),
    DEBTORRENT_CACHE_SIZE: '7M',
    DEBTORRENT_TRACKER: 'http://192.0.2.1/announce',
  };
  Object.assign(process.env, settings);
  t.teardown(() => {
    for (const name of Object.keys(settings)) delete process.env[name];
  });
  const { cache } = (await daemonStatus(await start())) as unknown as { cache: { limit_bytes: number } };
  t.not(cache.limit_bytes, 7 * 1024 * 1024);
});

t.test('nor does the configuration of a daemon that is installed', { skip: skipWithoutMount() }, async (t) => {
  const { directory, start } = scene(t);
  const file = join(directory, 'debtorrent.toml');
  writeFileSync(file, 'cache-size = "nonsense"\n');
  // an /etc that it has for itself
  const etc = 'mount -t tmpfs none /etc && mkdir /etc/debtorrent && cp "$1" /etc/debtorrent && shift && exec "$@"';
  const { base } = await start(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', etc, 'sh', file]);
  t.match(base, /^http:\/\/127\.0\.0\.1:\d+$/);
});
