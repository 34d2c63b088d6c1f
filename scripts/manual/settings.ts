/** What the manual says of settings, from the one table that the program goes by (src/config/schema.ts). */
import { envName, SETTING_NAMES, SETTINGS, type SettingName } from '../../src/config/schema.ts';

export interface Setting {
  readonly name: SettingName;
  readonly arg: string;
  /** A sentence without a capital and a full stop. */
  readonly says: string;
  readonly otherwise: string;
  readonly repeatable: boolean;
  readonly env: string;
  /** A value as it stands in the configuration file. */
  readonly example: string;
}

export interface Group {
  readonly title: string;
  readonly settings: readonly Setting[];
}

/** Examples where the default is none that could stand in a file. */
const EXAMPLES: Partial<Record<SettingName, string | readonly string[]>> = {
  socket: '/run/debtorrent/apt.sock',
  'cache-dir': '/var/cache/debtorrent',
  peer: ['192.0.2.7:9989'],
  tracker: ['http://tracker.example.org:6969/announce'],
  'dht-bootstrap': ['192.0.2.7:9989'],
  'swarm-key': '/etc/debtorrent/swarm.key',
  'allow-mirror': ['*.debian.org', 'mirror.example.org:8080'],
  'alternate-mirror': ['ftp.us.debian.org/debian=ftp.de.debian.org/debian'],
  keyring: ['/usr/share/keyrings/debian-archive-keyring.gpg'],
  'public-keyring': ['/usr/share/keyrings/debian-archive-keyring.gpg'],
  'log-format': 'json',
};

const GROUPS: readonly (readonly [title: string, names: readonly SettingName[]])[] = [
  ['Where clients reach it', ['listen', 'socket']],
  ['The cache', ['cache-dir', 'cache-size']],
  [
    'Peers',
    [
      'peer-listen',
      'peer',
      'tracker',
      'lan',
      'dht',
      'dht-bootstrap',
      'swarm-key',
      'upload-limit',
      'download-limit',
      'public-keyring',
    ],
  ],
  ['Mirrors and archives', ['allow-mirror', 'alternate-mirror', 'mirror-connections', 'keyring']],
  ['The log', ['log-level', 'log-format']],
];

/** All settings but `config`, which cannot stand in the file that it names; what no group has comes last. */
export function settingGroups(): Group[] {
  const grouped = new Set<SettingName>(['config', ...GROUPS.flatMap(([, names]) => names)]);
  const rest = SETTING_NAMES.filter((name) => !grouped.has(name));
  const groups = rest.length > 0 ? [...GROUPS, ['Other settings', rest] as const] : GROUPS;
  return groups.map(([title, names]) => ({ title, settings: names.map(setting) }));
}

function setting(name: SettingName): Setting {
  const { arg, says, otherwise, repeatable } = SETTINGS[name];
  const value = EXAMPLES[name] ?? (repeatable ? [otherwise] : otherwise);
  const example =
    typeof value === 'string' ? JSON.stringify(value) : `[${value.map((each) => JSON.stringify(each)).join(', ')}]`;
  return { name, arg, says, otherwise, repeatable, env: envName(name), example };
}

/** With a capital at the beginning, as a sentence has it. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
