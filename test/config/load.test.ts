import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { loadConfig, withCache, type ConfigSources } from '../../src/config/load.ts';
import {
  configKey,
  envName,
  SETTING_NAMES,
  SETTINGS,
  type LoadedConfig,
  type SettingName,
} from '../../src/config/schema.ts';

const HOME = { HOME: '/home/user' };

interface Given {
  flags?: Partial<Record<SettingName, string[]>>;
  env?: Record<string, string>;
  toml?: string;
}

function load(t: Test, { flags = {}, env = {}, toml }: Given): LoadedConfig {
  const directory = mkdtempSync(join(tmpdir(), 'debtorrent-config-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const defaultFile = join(directory, 'debtorrent.toml');
  if (toml !== undefined) writeFileSync(defaultFile, toml);
  const given = new Map(Object.entries(flags)) as ConfigSources['flags'];
  return loadConfig({ flags: given, env: { ...HOME, ...env }, cwd: '/work dir', defaultFile });
}

function error(t: Test, given: Given): string {
  try {
    load(t, given);
  } catch (thrown) {
    t.match(thrown, { code: 'CONFIG_INVALID' });
    return (thrown as Error).message;
  }
  throw new Error('accepted');
}

t.test('the defaults are those of the manual', async (t) => {
  t.same(load(t, {}), {
    config: undefined,
    listen: { host: '127.0.0.1', port: 9988 },
    socket: undefined,
    cacheDir: '/home/user/.cache/debtorrent',
    cacheSize: 20 * 1024 ** 3,
    peerListen: { host: '::', port: 9989 },
    peer: [],
    tracker: [],
    lan: true,
    dht: false,
    dhtBootstrap: [],
    swarmKey: undefined,
    uploadLimit: 0,
    downloadLimit: 0,
    allowMirror: [],
    alternateMirror: [],
    mirrorConnections: 4,
    keyring: [],
    publicKeyring: [],
    logLevel: 'info',
    logFormat: undefined,
  });
});

t.test('flags beat environment, environment beats file', async (t) => {
  const toml = 'listen = "127.0.0.1:1"\ncache-size = "1G"\npeer = ["a.example:1"]\nmirror-connections = 8';
  const env = { DEBTORRENT_LISTEN: '127.0.0.1:2', DEBTORRENT_CACHE_SIZE: '2G' };
  const config = load(t, { toml, env, flags: { listen: ['127.0.0.1:3'] } });
  t.equal(config.listen.port, 3);
  t.equal(config.cacheSize, 2 * 1024 ** 3);
  t.same(config.peer, [{ host: 'a.example', port: 1 }]);
  t.equal(config.mirrorConnections, 8);
});

t.test('the last of several values of a flag counts, unless the flag is repeatable', async (t) => {
  const config = load(t, { flags: { listen: ['bad', '[::1]:0'], 'allow-mirror': ['a.org', '*.b.org:80'] } });
  t.same(config.listen, { host: '::1', port: 0 });
  t.same(config.allowMirror, ['a.org', '*.b.org:80']);
});

t.test('repeatable settings take commas or spaces in the environment and lists in the file', async (t) => {
  t.same(load(t, { env: { DEBTORRENT_ALLOW_MIRROR: ' a.org,b.org  c.org,\n' } }).allowMirror, [
    'a.org',
    'b.org',
    'c.org',
  ]);
  t.same(load(t, { toml: 'allow-mirror = ["a.org", "b.org"]' }).allowMirror, ['a.org', 'b.org']);
  t.same(load(t, { toml: 'allow-mirror = "a.org"' }).allowMirror, ['a.org']);
  t.same(load(t, { toml: 'allow-mirror = []' }).allowMirror, []);
  t.same(load(t, { env: { DEBTORRENT_ALLOW_MIRROR: '' } }).allowMirror, [], 'an empty variable is none');
});

t.test('values of each kind', async (t) => {
  const env = {
    DEBTORRENT_PEER_LISTEN: 'off',
    DEBTORRENT_LAN: 'off',
    DEBTORRENT_UPLOAD_LIMIT: '1.5M/s',
    DEBTORRENT_CACHE_SIZE: '0',
    DEBTORRENT_TRACKER: 'http://tracker.example/announce,udp://[2001:db8::1]:6969',
    DEBTORRENT_ALTERNATE_MIRROR: 'ftp.us.debian.org/debian=HTTPS///ftp.de.debian.org/debian/',
    DEBTORRENT_LOG_LEVEL: 'debug',
  };
  t.match(load(t, { env }), {
    peerListen: 'off',
    lan: false,
    uploadLimit: 1.5 * 1024 ** 2,
    cacheSize: 0,
    tracker: ['http://tracker.example/announce', 'udp://[2001:db8::1]:6969'],
    alternateMirror: [['http://ftp.us.debian.org/debian/', 'https://ftp.de.debian.org/debian/']],
    logLevel: 'debug',
  });
  t.match(load(t, { toml: 'lan = false\ncache-size = 4096\npeer-listen = false' }), {
    lan: false,
    cacheSize: 4096,
    peerListen: 'off',
  });
});

t.test('bad values: one line with the key, the value and where it stands', async (t) => {
  t.equal(
    error(t, { flags: { listen: ['localhost'] } }),
    "--listen: 'localhost' is not ADDR:PORT (IPv6 in brackets, port 0 to 65535)",
  );
  t.match(
    error(t, { env: { DEBTORRENT_PEER: 'a.example:1,b.example' } }),
    /^DEBTORRENT_PEER: 'b.example' is not HOST:PORT/,
  );
  t.match(error(t, { toml: 'cache-size = "lots"' }), /^cache-size in .*debtorrent\.toml: 'lots' is not a size/);
  const bad: [SettingName, string[]][] = [
    ['listen', ['::1:80', '127.0.0.1:65536', '', 'a b:1', '127.0.0.1']],
    ['peer-listen', ['no', '9989']],
    ['peer', ['a.example', 'a.example:0', ':1']],
    ['tracker', ['ftp://a.example', 'udp://a.example', 'http://', 'http://a.example:0/']],
    ['cache-size', ['-1', '20X', '1e3', '99999999999T', 'G']],
    ['upload-limit', ['fast', '1/m']],
    ['lan', ['yes', 'ON', '']],
    ['mirror-connections', ['0', '65', '4.5', '-1']],
    ['allow-mirror', ['', 'http://a.org', 'a..b']],
    ['alternate-mirror', ['a.org', 'a.org=a.org', 'a.org=b.org=c.org', '=', 'a.org/../=b.org']],
    ['log-level', ['loud']],
    ['log-format', ['xml']],
    ['swarm-key', ['', 'a\0b']],
  ];
  for (const [name, values] of bad) {
    for (const value of values) {
      const message = error(t, { flags: { [name]: [value] } });
      t.ok(message.startsWith(`--${name}: '${value}' `) && !message.includes('\n'), message);
    }
  }
});

t.test('what the file must not hold', async (t) => {
  t.match(error(t, { toml: 'lissten = "x"' }), /'lissten' is no setting$/);
  t.match(error(t, { toml: 'config = "x"' }), /'config' is no setting$/);
  t.match(error(t, { toml: 'listen = ["127.0.0.1:1"]' }), /is not a single value$/);
  t.match(error(t, { toml: '[listen]\nport = 1' }), /is not a single value$/);
  t.match(error(t, { toml: 'peer = [1, {}]' }), /is not a list of strings$/);
  t.match(error(t, { toml: 'listen = \n' }), /debtorrent\.toml, line 1: /);
  t.match(error(t, { toml: `# ${'x'.repeat(2 ** 20)}` }), /is larger than/);
  t.match(error(t, { toml: `peer = [${'"a.example:1",'.repeat(1001)}]` }), /^peer in .* has more than 1000 values$/);
});

t.test('a file that is named has to be there', async (t) => {
  t.equal(
    error(t, { flags: { config: ['/nonexistent/x.toml'] } }),
    "config: '/nonexistent/x.toml' cannot be read (ENOENT)",
  );
  t.equal(error(t, { env: { DEBTORRENT_CONFIG: 'x.toml' } }), "config: '/work dir/x.toml' cannot be read (ENOENT)");
});

t.test('relative paths start at the working directory, in the file at its directory', async (t) => {
  const config = load(t, { flags: { 'cache-dir': ['cache'] }, toml: 'keyring = ["keys/a.gpg", "/b.gpg"]' });
  t.equal(config.cacheDir, '/work dir/cache');
  t.match(config.keyring, [/^\/.*debtorrent-config-.*\/keys\/a\.gpg$/, /^\/b\.gpg$/]);
});

t.test('the cache is where systemd, XDG or the home directory say', async (t) => {
  const env = { XDG_CACHE_HOME: '/xdg', CACHE_DIRECTORY: '/var/cache/debtorrent:/var/cache/other' };
  t.equal(load(t, { env }).cacheDir, '/var/cache/debtorrent');
  t.equal(load(t, { env: { XDG_CACHE_HOME: '/xdg' } }).cacheDir, '/xdg/debtorrent');
  t.equal(load(t, { env: { XDG_CACHE_HOME: 'relative' } }).cacheDir, '/home/user/.cache/debtorrent');
  const nowhere = load(t, { env: { HOME: '' } });
  t.equal(nowhere.cacheDir, undefined, 'who needs no cache goes on');
  const message = /^cache-dir: '' is not a path, and neither CACHE_DIRECTORY, XDG_CACHE_HOME nor HOME/;
  t.throws(() => withCache(nowhere), { code: 'CONFIG_INVALID', message });
  t.equal(load(t, { env: { HOME: '' }, flags: { 'cache-dir': ['/c'] } }).cacheDir, '/c');
});

t.test('under systemd there is a socket', async (t) => {
  t.equal(load(t, { env: { RUNTIME_DIRECTORY: '/run/debtorrent' } }).socket, '/run/debtorrent/apt.sock');
});

t.test('each setting is documented and has a flag, a variable and a key of its own', async (t) => {
  t.equal(new Set(SETTING_NAMES.map(envName)).size, SETTING_NAMES.length);
  t.equal(new Set(SETTING_NAMES.map(configKey)).size, SETTING_NAMES.length);
  for (const name of SETTING_NAMES) {
    t.match(name, /^[a-z]+(-[a-z]+)*$/);
    t.ok(SETTINGS[name].says.length > 5 && SETTINGS[name].arg && SETTINGS[name].otherwise, name);
  }
});

t.test('any text is a value or a one-line error', async (t) => {
  const name = fc.constantFrom(...SETTING_NAMES.filter((name) => name !== 'config'));
  fc.assert(
    fc.property(name, fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (name, value) => {
      try {
        loadConfig({ flags: new Map([[name, [value]]]), env: HOME, cwd: '/', defaultFile: '/nonexistent' });
      } catch (error) {
        const { code, message } = error as Error & { code: string };
        if (code !== 'CONFIG_INVALID' || message.includes('\n') || !message.startsWith(`--${name}: `)) throw error;
      }
    }),
    { numRuns: 500 },
  );
  t.pass();
});

t.test('without a working directory only relative paths are wrong', async (t) => {
  const from = (path: string) => {
    const flags = new Map([['cache-dir', [path]]]) as ConfigSources['flags'];
    return loadConfig({ flags, env: HOME, cwd: undefined, defaultFile: '/nonexistent' });
  };
  t.match(from('/var/../cache'), { cacheDir: '/cache' });
  const message = "--cache-dir: 'cache' starts from the working directory, which is gone";
  t.throws(() => from('cache'), { code: 'CONFIG_INVALID', message });
});
