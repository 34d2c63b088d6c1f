/** How the daemon starts, stops and says what is wrong, as scripts and service managers see it. */
import t from 'tap';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon, spawnMain } from '../support/daemon.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { exchange, requestText } from '../support/raw-http.ts';
import { Scene, isWhole } from '../support/scene.ts';

t.setTimeout(240_000);

/** Exit code and output of a start that should fail; killed after 15 s. */
async function failsToStart(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; output: string }> {
  const child: ChildProcess = spawnMain(args, env);
  let output = '';
  child.stdout?.on('data', (data) => (output += String(data)));
  child.stderr?.on('data', (data) => (output += String(data)));
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code: code ?? -1, output };
}

t.test('bad configuration: one line that names the key and the value, exit 2', async (t) => {
  const dir = t.testdir({
    'bad.toml': 'cache-size = "lots"\n',
    'unknown.toml': 'no-such-key = 1\n',
    'broken.toml': 'listen = [[[\n',
  });
  const cases: [string[], RegExp][] = [
    [['serve', '--listen', 'nonsense'], /listen.*nonsense/],
    [['serve', '--listen', '127.0.0.1:99999'], /listen.*99999/],
    [['serve', '--cache-size', '-5'], /cache-size.*-5/],
    [['serve', '--log-level', 'loud'], /log-level.*loud/],
    [['serve', '--lan', 'maybe'], /lan.*maybe/],
    [['serve', '--no-such-flag', 'x'], /no-such-flag/],
    [['serve', '--config', join(dir, 'bad.toml')], /cache-size.*lots/],
    [['serve', '--config', join(dir, 'unknown.toml')], /no-such-key/],
    [['serve', '--config', join(dir, 'broken.toml')], /broken\.toml/],
    [['serve', '--config', join(dir, 'missing.toml')], /missing\.toml/],
  ];
  for (const [args, says] of cases) {
    const { code, output } = await failsToStart([...args, '--cache-dir', join(dir, 'cache')]);
    t.equal(code, 2, `${args.join(' ')}\n${output}`);
    t.match(output, says);
    t.equal(output.trimEnd().split('\n').length, 1, output);
  }
  const env = await failsToStart(['serve', '--cache-dir', join(dir, 'cache')], { DEBTORRENT_CACHE_SIZE: 'huge' });
  t.equal(env.code, 2);
  t.match(env.output, /cache.size.*huge/i);
});

t.test('a port that is taken: one line, exit 1', async (t) => {
  const dir = t.testdir();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { code, output } = await failsToStart([
    ...['serve', '--listen', `127.0.0.1:${port}`, '--cache-dir', join(dir, 'cache')],
    ...['--peer-listen', 'off', '--lan', 'off', '--log-level', 'silent'],
  ]);
  t.equal(code, 1, output);
  t.match(output, String(port));
  t.equal(output.trimEnd().split('\n').length, 1, output);
});

t.test('a cache directory that cannot be: an error, not a hang', async (t) => {
  const dir = t.testdir({ file: 'not a directory' });
  const { code } = await failsToStart([
    ...['serve', '--listen', '127.0.0.1:0', '--cache-dir', join(dir, 'file')],
    ...['--peer-listen', 'off', '--lan', 'off'],
  ]);
  t.ok(code === 1 || code === 2, String(code));
});

t.test('--version and --help say so and exit 0', async (t) => {
  const version = await failsToStart(['--version']);
  t.equal(version.code, 0);
  t.match(version.output, /\d+\.\d+\.\d+/);
  const help = await failsToStart(['--help']);
  t.equal(help.code, 0);
  for (const flag of ['--listen', '--cache-dir', '--allow-mirror', '--keyring']) t.match(help.output, flag);
});

t.test('settings come from the file, the environment and flags, in that order', async (t) => {
  const dir = t.testdir({ 'd.toml': 'cache-size = "1G"\nlog-level = "info"\n' });
  mkdirSync(join(dir, 'cache'));
  writeFileSync(join(dir, 'empty.gpg'), '');
  const start = async (flags: string[], env: NodeJS.ProcessEnv): Promise<number> => {
    const daemon = await Daemon.start({
      mirrors: [],
      keyring: join(dir, 'empty.gpg'),
      cacheDir: join(dir, 'cache'),
      flags: ['--config', join(dir, 'd.toml'), ...flags],
      env,
    });
    try {
      return (await daemon.status()).cache.limit_bytes;
    } finally {
      t.equal((await daemon.stop()).code, 0);
    }
  };
  t.equal(await start([], {}), 1024 ** 3);
  t.equal(await start([], { DEBTORRENT_CACHE_SIZE: '2G' }), 2 * 1024 ** 3);
  t.equal(await start(['--cache-size', '3G'], { DEBTORRENT_CACHE_SIZE: '2G' }), 3 * 1024 ** 3);
});

t.test('orderly stop', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, {
    state: {
      add: [
        { name: 'soon', size: 1_000_000 },
        { name: 'endless', size: 5_000_000 },
      ],
    },
  });
  const { archive, mirror, daemon } = scene;
  await scene.adopt();

  await t.test('an idle daemon with open connections exits 0 at once', async (t) => {
    const idle = exchange(daemon.target, requestText('GET', '/healthz', 'localhost'), { answers: 2 });
    t.equal((await daemon.request('/healthz')).status, 200);
    const { code, ms } = await daemon.stop();
    t.equal(code, 0);
    t.ok(ms < 5000, `${ms} ms`);
    await idle;
    await daemon.start();
  });

  await t.test('transfers that can finish do, those that cannot are parked', async (t) => {
    const soon = archive.url(archive.file('soon').path);
    const endless = archive.url(archive.file('endless').path);
    mirror.rule(soon, { rate: 1_000_000 });
    // It comes in several ranges, each of which stalls.
    mirror.rule(endless, { stallAt: 800_000 });
    const wanted = scene.get(archive.file('soon').path);
    const stuck = scene.get(archive.file('endless').path);
    await until('both are under way', () => mirror.bytes(soon) > 0 && mirror.bytes(endless) >= 800_000);
    const { code, ms } = await daemon.stop();
    t.equal(code, 0);
    t.ok(ms <= 10_000, `${ms} ms`);
    t.ok(isWhole(await wanted, archive.file('soon')), 'the client that could be served was');
    t.notOk((await stuck).complete);
    mirror.clearRules();
    mirror.forget();
    await daemon.start();
    t.ok(isWhole(await scene.get(archive.file('endless').path), archive.file('endless')));
    t.ok(mirror.copies(endless) < 1, 'what was there was not fetched again');
  });
});
