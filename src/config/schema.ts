/**
 * The one table of settings. Each row is a flag, a key of the TOML file and an environment variable; --help and the
 * manual are made from it, and `Config` is its type.
 */
import * as v from 'valibot';
import {
  alternateMirror,
  integer,
  listenAddress,
  listenAddressOrOff,
  mirrorPattern,
  onOff,
  oneOf,
  path,
  peerAddress,
  rate,
  size,
  trackerUrl,
} from './values.ts';

interface Row<S> {
  readonly schema: S;
  /** What stands for the value in --help. */
  readonly arg: string;
  readonly says: string;
  /** The default as people read it. */
  readonly otherwise: string;
  readonly repeatable: boolean;
  /** The value names a file, relative to the working directory or to the configuration file that holds it. */
  readonly isPath: boolean;
}

type Text<T> = v.GenericSchema<string, T>;

/** Values of one repeatable setting; more than anyone needs, fewer than would be slow. */
const MAX_VALUES = 1000;

function single<T>(schema: Text<T>, arg: string, fallback: string, says: string) {
  const row = { schema: v.optional(schema, fallback), arg, says, otherwise: fallback, repeatable: false };
  return { ...row, isPath: false } satisfies Row<unknown>;
}

function optional<T>(schema: Text<T>, arg: string, otherwise: string, says: string, isPath = false) {
  return { schema: v.optional(schema), arg, says, otherwise, repeatable: false, isPath } satisfies Row<unknown>;
}

function repeatable<T>(schema: Text<T>, arg: string, otherwise: string, says: string, isPath = false) {
  const values = v.pipe(v.array(schema), v.maxLength(MAX_VALUES, `has more than ${MAX_VALUES} values`), v.readonly());
  return { schema: v.optional(values, []), arg, says, otherwise, repeatable: true, isPath } satisfies Row<unknown>;
}

const ROWS = {
  config: optional(path, 'FILE', '/etc/debtorrent/debtorrent.toml if it exists', 'the TOML configuration file', true),
  listen: single(listenAddress, 'ADDR:PORT', '127.0.0.1:9988', 'HTTP for APT and people; port 0 picks one'),
  socket: optional(
    path,
    'PATH',
    'none, apt.sock in the run-time directory under systemd',
    'the same on a Unix socket',
    true,
  ),
  'cache-dir': optional(path, 'DIR', "$CACHE_DIRECTORY, or the user's cache directory/debtorrent", 'the cache', true),
  'cache-size': single(size, 'SIZE', '20G', 'most that the cache may hold; 0 is no limit'),
  'peer-listen': single(listenAddressOrOff, 'ADDR:PORT', '[::]:9989', 'BitTorrent port; off turns peers off'),
  peer: repeatable(peerAddress, 'HOST:PORT', 'none', 'a fixed peer'),
  tracker: repeatable(trackerUrl, 'URL', 'none', 'an http or udp tracker'),
  lan: single(onOff, 'on|off', 'on', 'discovery of peers on the local network'),
  dht: single(onOff, 'on|off', 'off', 'discovery of peers in the DHT; a private swarm is not looked for there'),
  'dht-bootstrap': repeatable(peerAddress, 'HOST:PORT', 'none', 'a node to enter the DHT by'),
  'swarm-key': optional(path, 'FILE', 'none', 'the key of a private swarm', true),
  'upload-limit': single(rate, 'RATE', '0', 'bytes a second to peers; 0 is no limit'),
  'download-limit': single(rate, 'RATE', '0', 'bytes a second from mirrors, and as many from peers; 0 is no limit'),
  'allow-mirror': repeatable(
    mirrorPattern,
    'GLOB',
    "the hosts of Debian's and Ubuntu's archives",
    'a host or host:port to fetch from; * is any public host, private ones are named (or as 192.168.1.*)',
  ),
  'alternate-mirror': repeatable(
    alternateMirror,
    'HOST/PATH=HOST/PATH',
    'none',
    'two mirrors of the same files: the second is tried when the first fails, and the other way round',
  ),
  'mirror-connections': single(
    integer(1, 64),
    'N',
    '4',
    'connections to each mirror, 1 to 64; files that wait long for one get more',
  ),
  keyring: repeatable(path, 'FILE', 'those APT trusts on this machine', 'signatures of archives', true),
  'public-keyring': repeatable(
    path,
    'FILE',
    'debian-archive-keyring.gpg, ubuntu-archive-keyring.gpg where installed',
    'archives verified by these are shared with peers',
    true,
  ),
  'log-level': single(
    oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'LEVEL',
    'info',
    'trace, debug, info, warn, error, fatal or silent',
  ),
  'log-format': optional(oneOf(['pretty', 'json']), 'FORMAT', 'pretty on a terminal, else json', 'pretty or json'),
};

type Rows = typeof ROWS;
export type SettingName = keyof Rows;

type Camel<K extends string> = K extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : K;
type Values = { readonly [K in SettingName as Camel<K>]: v.InferOutput<Rows[K]['schema']> };

/**
 * The configuration, parsed. Paths are absolute, sizes bytes, rates bytes a second (0 is no limit); `keyring`,
 * `publicKeyring` and `allowMirror` are empty when the defaults of the parts that use them apply, `cacheDir` is missing
 * when nothing says where the cache belongs.
 */
export type LoadedConfig = Values;

/** Complete: for commands that work on the cache. */
export interface Config extends LoadedConfig {
  readonly cacheDir: string;
}

export const SETTINGS: Readonly<Record<SettingName, Row<v.GenericSchema>>> = ROWS;
export const SETTING_NAMES = Object.keys(ROWS) as readonly SettingName[];

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(ROWS, name);
}

/** `cache-dir` to `DEBTORRENT_CACHE_DIR`. */
export function envName(name: SettingName): string {
  return `DEBTORRENT_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** `cache-dir` to `cacheDir`. */
export function configKey(name: SettingName): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
