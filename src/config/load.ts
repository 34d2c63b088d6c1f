/** Puts the configuration together: flags beat environment, environment beats file, file beats defaults. */
import { isAbsolute, join, resolve } from 'node:path';
import * as v from 'valibot';
import { DebtorrentError } from '../core/errors.ts';
import {
  configKey,
  envName,
  SETTING_NAMES,
  SETTINGS,
  type Config,
  type LoadedConfig,
  type SettingName,
} from './schema.ts';
import { readToml } from './toml.ts';

export interface ConfigSources {
  /** What the command line gives, in its order; the last value of a setting that is not repeatable counts. */
  readonly flags: ReadonlyMap<SettingName, readonly string[]>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The directory that relative paths start from; undefined when it is gone. */
  readonly cwd: string | undefined;
  /** Read when no other file is named, if it exists. */
  readonly defaultFile: string;
}

export const DEFAULT_CONFIG_FILE = '/etc/debtorrent/debtorrent.toml';

/** Where the values of one setting come from. */
interface Found {
  readonly values: readonly string[];
  /** How the place is called in an error: `--listen`, `DEBTORRENT_LISTEN`, `listen in FILE`. */
  readonly place: string;
  /** Where a relative path starts; undefined when there is no such place. */
  readonly base: string | undefined;
}

/** @throws DebtorrentError CONFIG_INVALID with one line that names the key and the value. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const named = fromFlags(sources, 'config') ?? fromEnv(sources, 'config');
  const config = parseSetting('config', named) as string | undefined;
  const file = config ?? sources.defaultFile;
  const toml = readToml(file, config !== undefined);
  const entries = SETTING_NAMES.map((name): [string, unknown] => {
    const found = fromFlags(sources, name) ?? fromEnv(sources, name) ?? fromFile(toml, file, name);
    return [configKey(name), parseSetting(name, found)];
  });
  const parsed = Object.fromEntries(entries) as Partial<LoadedConfig>;
  return {
    ...parsed,
    socket: parsed.socket ?? defaultSocket(sources),
    cacheDir: parsed.cacheDir ?? defaultCacheDir(sources),
  } as LoadedConfig;
}

/** @throws DebtorrentError CONFIG_INVALID when nothing says where the cache belongs. */
export function withCache(config: LoadedConfig): Config {
  const { cacheDir } = config;
  if (cacheDir !== undefined) return { ...config, cacheDir };
  throw new DebtorrentError(
    'CONFIG_INVALID',
    "cache-dir: '' is not a path, and neither CACHE_DIRECTORY, XDG_CACHE_HOME nor HOME says where the cache belongs",
  );
}

function fromFlags({ flags, cwd }: ConfigSources, name: SettingName): Found | undefined {
  const values = flags.get(name);
  return values && { values, place: `--${name}`, base: cwd };
}

/** An empty variable counts as none. */
function fromEnv({ env, cwd }: ConfigSources, name: SettingName): Found | undefined {
  const value = env[envName(name)]?.trim();
  if (!value) return undefined;
  const values = SETTINGS[name].repeatable ? value.split(/[\s,]+/).filter((part) => part !== '') : [value];
  return { values, place: envName(name), base: cwd };
}

function fromFile(toml: ReadonlyMap<SettingName, readonly string[]>, file: string, name: SettingName) {
  const values = toml.get(name);
  return values && { values, place: `${name} in ${file}`, base: resolve(file, '..') };
}

function parseSetting(name: SettingName, found: Found | undefined): unknown {
  const { schema, repeatable, isPath } = SETTINGS[name];
  if (!found) return v.parse(schema, undefined);
  const texts = isPath ? found.values.map((value) => value && absolute(found, value)) : found.values;
  const result = v.safeParse(schema, repeatable ? texts : texts.at(-1));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const index = issue.path?.[0]?.key;
  const value = found.values.at(typeof index === 'number' ? index : -1);
  throw new DebtorrentError('CONFIG_INVALID', `${found.place}: '${value}' ${issue.message}`);
}

function absolute({ place, base }: Found, path: string): string {
  if (isAbsolute(path)) return resolve(path);
  if (base !== undefined) return resolve(base, path);
  throw new DebtorrentError('CONFIG_INVALID', `${place}: '${path}' starts from the working directory, which is gone`);
}

/** systemd gives services their directories as colon-separated lists (systemd.exec, RuntimeDirectory=). */
function systemdDirectory(env: ConfigSources['env'], variable: string): string | undefined {
  return env[variable]?.split(':').find((directory) => directory.startsWith('/'));
}

function defaultSocket({ env }: ConfigSources): string | undefined {
  const directory = systemdDirectory(env, 'RUNTIME_DIRECTORY');
  return directory && join(directory, 'apt.sock');
}

function defaultCacheDir({ env }: ConfigSources): string | undefined {
  const service = systemdDirectory(env, 'CACHE_DIRECTORY');
  if (service) return service;
  // the XDG specification has relative paths ignored
  if (env['XDG_CACHE_HOME']?.startsWith('/')) return join(env['XDG_CACHE_HOME'], 'debtorrent');
  if (env['HOME']?.startsWith('/')) return join(env['HOME'], '.cache/debtorrent');
  return undefined;
}
