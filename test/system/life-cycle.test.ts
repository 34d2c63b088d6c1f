/** How the daemon starts, stops and says what is wrong, as scripts and service managers see it. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon, spawnMain } from '../support/daemon.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { exchange, requestText } from '../support/raw-http.ts';
import { Scene, isWhole } from '../support/scene.ts';

t.setTimeout(600_000);

/** Exit code and output of a start that should fail; killed after a minute. */
async function failsToStart(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; output: string }> {
  const child: ChildProcess = spawnMain(args, env);
  let output = '';
  child.stdout?.on('data', (data) => (output += String(data)));
  child.stderr?.on('data', (data) => (output += String(data)));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
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

/** Port 0, no peers, and a log as a service has it. */
const QUIET = ['serve', '--listen', '127.0.0.1:0', '--peer-listen', 'off', '--lan', 'off', '--log-format', 'json'];

t.test('what keeps it from starting is one line, exit 1', async (t) => {
  const dir = t.testdir({ file: 'not a directory', odd: { files: 'not a directory' } });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const taken = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cache = ['--cache-dir', join(dir, 'cache')];
  const cases: [what: string, args: string[], says: RegExp][] = [
    ['a port that is taken', [...cache, '--listen', taken], new RegExp(taken)],
    ['a socket in no directory', [...cache, '--socket', '/proc/none/socket'], /there is no directory \/proc\/none$/m],
    ['one with too long a path', [...cache, '--socket', join(dir, 'x'.repeat(108))], /at most 107 bytes/],
    ['a peer port that is taken', [...cache, '--peer-listen', taken], new RegExp(taken)],
    ['a cache directory that is a file', ['--cache-dir', join(dir, 'file')], /cache-dir .*file/],
    ['one below a file', ['--cache-dir', join(dir, 'file', 'x')], /cache-dir .*file/],
    ['one with a file in a directory’s place', ['--cache-dir', join(dir, 'odd')], /cache-dir .*odd/],
    ['one that no file system takes', ['--cache-dir', '/proc/x'], /cache-dir \/proc\/x/],
  ];
  for (const [what, args, says] of cases) {
    const { code, output } = await failsToStart([...QUIET, ...args]);
    t.equal(code, 1, `${what}\n${output}`);
    t.match(output, says, what);
    t.match(output, /^debtorrent: [^\n]+\n$/, what);
  }
});

t.test('one daemon for each cache directory', async (t) => {
  const cacheDir = join(t.testdir(), 'cache');
  const first = await Daemon.start({ mirrors: [], keyring: '/dev/null', cacheDir });
  t.teardown(() => first.close());
  const left = join(cacheDir, 'partial', 'url-being-written');
  writeFileSync(left, 'by the first');
  const second = () => failsToStart([...QUIET, '--cache-dir', cacheDir]);
  const refused = await second();
  t.equal(refused.code, 1, refused.output);
  t.match(refused.output, /^debtorrent: cache-dir [^\n]*\/cache is in use [^\n]*\n$/);
  t.match(refused.output, new RegExp(`\\b${first.ready.pid}\n`));
  t.ok(existsSync(left), 'what the first one writes is left alone');
  for (const name of readdirSync(cacheDir)) rmSync(join(cacheDir, name), { recursive: true });
  t.match(await second(), { code: 1, output: 'is in use' }, 'also after it was emptied by hand');
  await first.kill9();
  await first.start();
  t.equal((await first.status()).cache.files, 0, 'a killed daemon does not keep the next one out');
  t.equal((await first.stop()).code, 0);
});

t.test('it needs no working directory, and keeps none from being unmounted', async (t) => {
  const gone = join(t.testdir({ gone: {} }), 'gone');
  const launcher = ['sh', '-c', 'cd "$0" && rmdir "$0" && exec "$@"', gone];
  const daemon = await Daemon.start({ mirrors: [], keyring: '/dev/null', launcher });
  t.teardown(() => daemon.close());
  t.equal(readlinkSync(`/proc/${daemon.ready.pid}/cwd`), '/');
  t.equal((await daemon.stop()).code, 0);
});

t.test('it works where its output is on a full disk', async (t) => {
  // not below the tests: a socket's path has at most 107 bytes
  const dir = mkdtempSync(join(tmpdir(), 'dt-full-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const socketPath = join(dir, 's');
  const args = [...QUIET, '--log-level', 'debug', '--cache-dir', join(dir, 'cache'), '--socket', socketPath];
  const child = spawnMain(args, {}, ['sh', '-c', 'exec "$@" >/dev/full 2>&1', 'sh']);
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const healthy = async () => {
    const [answer] = await exchange({ port: 0, socketPath }, requestText('GET', '/healthz', 'localhost'));
    return answer?.status === 200;
  };
  await until('it answers', healthy);
  // longer than lines of the log are gathered
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.ok(await healthy());
  child.kill('SIGTERM');
  t.same(await ended, [0, null]);
});

t.test('a start that waits for its disk is ended, too', async (t) => {
  const cacheDir = join(t.testdir(), 'cache');
  const state = join(cacheDir, 'catalogue', 'state.json');
  mkdirSync(join(cacheDir, 'catalogue'), { recursive: true });
  execFileSync('mkfifo', [state]);
  // open at both ends, so that nobody waits for another to open it, only for bytes
  const pipe = openSync(state, 'r+');
  const child = spawnMain([...QUIET, '--log-level', 'debug', '--cache-dir', cacheDir]);
  let output = '';
  child.stdout?.on('data', (data) => (output += String(data)));
  child.stderr?.on('data', (data) => (output += String(data)));
  const ended = once(child, 'exit');
  await until('the store is open', () => existsSync(join(cacheDir, 'files', 'ff')));
  child.kill('SIGTERM');
  await until('it stops', () => output.includes('stopping before it was ready'));
  // a process cannot end while the kernel reads a file for it
  closeSync(pipe);
  t.same(await ended, [0, null], output);
  t.notMatch(output, /^ready/m);
});

t.test('a signal ends it while it starts, too', async (t) => {
  const dir = t.testdir();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    for (const after of ['nothing', 'the cache directory', 'the store'] as const) {
      const cacheDir = join(dir, `${signal}-${after.replaceAll(' ', '-')}`);
      const child = spawnMain([...QUIET, '--log-level', 'debug', '--cache-dir', cacheDir]);
      const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      const there = { 'the cache directory': 'pid', 'the store': 'partial' } as const;
      if (after !== 'nothing') await until(after, () => existsSync(join(cacheDir, there[after])));
      child.kill(signal);
      const [code, by] = await ended;
      if (after === 'nothing') t.ok(code === 0 || by === signal, 'Node itself starts');
      else t.equal(code, 0, `${signal} after ${after}`);
    }
  }
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
    const { lifetime } = (await daemon.status()) as unknown as { lifetime: Record<string, number> };
    const served = lifetime['served_bytes'] ?? 0;
    t.ok(served >= archive.file('soon').size, `what was served while it stopped is in the sums: ${served}`);
    t.ok(isWhole(await scene.get(archive.file('endless').path), archive.file('endless')));
    t.ok(mirror.copies(endless) < 1, 'what was there was not fetched again');
  });
});
