/** The command line: which command, with which settings; and --help, made from the table of settings. */
import { parseArgs } from 'node:util';
import { DebtorrentError } from '../core/errors.ts';
import { envName, isSettingName, SETTING_NAMES, SETTINGS, type SettingName } from './schema.ts';

export type CommandLine =
  | { readonly command: 'serve' | 'tracker' | 'method'; readonly flags: Flags }
  | { readonly command: 'status'; readonly flags: Flags; readonly json: boolean; readonly watch: boolean }
  | {
      readonly command: 'seed';
      readonly flags: Flags;
      /** At least one. */
      readonly paths: readonly string[];
      readonly verbose: boolean;
    }
  | {
      readonly command: 'setup';
      readonly flags: Flags;
      /** Take back what setup did. */
      readonly undo: boolean;
      /** Set APT's proxy, in place of the method and the sources. */
      readonly proxy: boolean;
      /** Only show. */
      readonly print: boolean;
      /** Do not ask. */
      readonly yes: boolean;
      /** Relative to the working directory; '/' is this machine. */
      readonly root: string;
    }
  | { readonly command: 'help' | 'version' };

/** Of node:util's parseArgs. */
interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

type Flags = ReadonlyMap<SettingName, readonly string[]>;

/** What each command takes besides the settings. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  status: ['--json', '--watch'],
  seed: ['--verbose'],
  setup: ['--undo', '--proxy', '--print', '--yes'],
};
const ALL_SWITCHES: ReadonlySet<string> = new Set(Object.values(SWITCHES).flat());

/**
 * @param argv what follows the program's name.
 * @throws DebtorrentError CONFIG_INVALID
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const settings = Object.fromEntries(SETTING_NAMES.map((name) => [name, { type: 'string', multiple: true } as const]));
  const options = { ...settings, root: { type: 'string' } as const };
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const flags = new Map<SettingName, string[]>();
  const words: string[] = [];
  const switches = new Set<string>();
  let root: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.rawName.startsWith('--') && isSettingName(token.name)) {
      flags.set(token.name, [...(flags.get(token.name) ?? []), valueOf(token, SETTINGS[token.name].arg)]);
    } else if (token.rawName === '--root') {
      root = valueOf(token, 'DIR');
      if (root === '') throw invalid("--root: '' is not DIR");
    } else if (token.value === undefined) switches.add(token.rawName);
    else throw invalid(`'${token.rawName}=${token.value}' is not a flag; see --help`);
  }
  return toCommand(words, switches, flags, root);
}

/** A flag that follows is no value: without this check the flag before it would swallow it. `--flag=-value` is one. */
function valueOf({ rawName, value, inlineValue }: OptionToken, arg: string): string {
  if (value === undefined || (!inlineValue && value.startsWith('-'))) {
    throw invalid(`${rawName}: '${value ?? ''}' is not ${arg}`);
  }
  return value;
}

function toCommand(
  words: readonly string[],
  switches: ReadonlySet<string>,
  flags: Flags,
  root: string | undefined,
): CommandLine {
  if (switches.has('--help') || switches.has('-h')) return { command: 'help' };
  if (switches.has('--version') || switches.has('-V')) return { command: 'version' };
  const strange = [...switches].find((name) => !ALL_SWITCHES.has(name));
  if (strange !== undefined) throw invalid(`'${strange}' is not a flag; see --help`);
  const [command = 'serve', ...rest] = words;
  const misplaced =
    root !== undefined && command !== 'setup'
      ? '--root'
      : [...switches].find((name) => !SWITCHES[command]?.includes(name));
  switch (command) {
    case 'serve':
    case 'tracker':
    case 'method':
    case 'status':
    case 'seed':
    case 'setup':
      if (misplaced !== undefined) throw invalid(`'${misplaced}' is not a flag of '${command}'; see --help`);
      break;
    default:
      throw invalid(`'${command}' is not a command; see --help`);
  }
  if (command === 'seed') {
    // an empty one, as of a variable that is not set, is no name of the working directory
    if (rest.length === 0 || rest.includes('')) throw invalid("seed: '' is not a file or directory to take files from");
    return { command, flags, paths: rest, verbose: switches.has('--verbose') };
  }
  if (rest[0] !== undefined) throw invalid(`'${rest[0]}' is one argument too many for '${command}'`);
  if (command === 'status') return { command, flags, json: switches.has('--json'), watch: switches.has('--watch') };
  if (command !== 'setup') return { command, flags };
  const [undo, proxy, print, yes] = ['--undo', '--proxy', '--print', '--yes'].map((name) => switches.has(name));
  if (undo && proxy) throw invalid("'--proxy' and '--undo' exclude each other: --undo takes back either way");
  return { command, flags, undo: !!undo, proxy: !!proxy, print: !!print, yes: !!yes, root: root ?? '/' };
}

export function helpText(): string {
  const rows = SETTING_NAMES.map((name) => {
    const { arg, says, otherwise, repeatable } = SETTINGS[name];
    return `  --${name} ${arg}\n        ${says}${repeatable ? '; repeatable' : ''}\n        default: ${otherwise}\n`;
  });
  return `usage: debtorrent [serve] [flags]    run the daemon
       debtorrent status [--json] [--watch]    say what the running daemon does, once or every second
       debtorrent seed PATH… [--verbose]    take packages that exist already (files, directories) into the cache
       debtorrent tracker [--listen ADDR:PORT]    run a tracker, over HTTP and UDP; default: [::]:6969
       debtorrent setup [--proxy] [--print | --yes] [--root DIR]    have APT fetch through the daemon (--listen)
       debtorrent setup --undo [--print] [--root DIR]    take that back
       debtorrent method    what APT runs for debtorrent: sources; bin/apt-method starts it quicker
       debtorrent --version | --help

setup installs the APT method debtorrent: and writes debtorrent:// in sources; with --proxy it sets APT's proxy
instead, which leaves sources alone. It shows what it would change and asks first; --yes does not ask, --print only
shows. --root DIR does all of that below DIR, the root of another system.

flags:
${rows.join('')}
Every flag is also a key of the configuration file (without --) and an environment variable (--cache-dir is
${envName('cache-dir')}; several values are separated by commas or spaces). Flags beat environment, environment beats file.
`;
}

function invalid(message: string): DebtorrentError {
  return new DebtorrentError('CONFIG_INVALID', message);
}
