/** The command line: which command, with which settings; and --help, made from the table of settings. */
import { parseArgs } from 'node:util';
import { DebtorrentError } from '../core/errors.ts';
import { envName, isSettingName, SETTING_NAMES, SETTINGS, type SettingName } from './schema.ts';

export type CommandLine =
  | { readonly command: 'serve' | 'tracker'; readonly flags: Flags }
  | { readonly command: 'status'; readonly flags: Flags; readonly json: boolean }
  | {
      readonly command: 'seed';
      readonly flags: Flags;
      /** At least one. */
      readonly paths: readonly string[];
      readonly verbose: boolean;
    }
  | { readonly command: 'help' | 'version' };

type Flags = ReadonlyMap<SettingName, readonly string[]>;

/** Commands that are known by name and come with later versions. */
const LATER = new Set(['method', 'setup']);

/**
 * @param argv what follows the program's name.
 * @throws DebtorrentError CONFIG_INVALID
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const settings = Object.fromEntries(SETTING_NAMES.map((name) => [name, { type: 'string', multiple: true } as const]));
  const { tokens } = parseArgs({ args: [...argv], options: settings, strict: false, tokens: true });
  const flags = new Map<SettingName, string[]>();
  const words: string[] = [];
  const switches = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.rawName.startsWith('--') && isSettingName(token.name)) {
      if (token.value === undefined) throw invalid(`${token.rawName}: '' is not ${SETTINGS[token.name].arg}`);
      flags.set(token.name, [...(flags.get(token.name) ?? []), token.value]);
    } else if (token.value === undefined) switches.add(token.rawName);
    else throw invalid(`'${token.rawName}=${token.value}' is not a flag; see --help`);
  }
  return toCommand(words, switches, flags);
}

function toCommand(words: readonly string[], switches: ReadonlySet<string>, flags: Flags): CommandLine {
  if (switches.has('--help') || switches.has('-h')) return { command: 'help' };
  if (switches.has('--version') || switches.has('-V')) return { command: 'version' };
  const strange = [...switches].find((name) => name !== '--json' && name !== '--verbose');
  if (strange !== undefined) throw invalid(`'${strange}' is not a flag; see --help`);
  const [command = 'serve', ...rest] = words;
  if (LATER.has(command)) throw invalid(`'${command}' is not available in this version`);
  const verbose = switches.has('--verbose');
  if (verbose && command !== 'seed') throw invalid(`'--verbose' is not a flag of '${command}'; see --help`);
  if (command === 'seed') {
    if (switches.has('--json')) throw invalid("'--json' is not a flag of 'seed'; see --help");
    if (rest.length === 0) throw invalid("seed: '' is not a file or directory to take files from");
    return { command, flags, paths: rest, verbose };
  }
  if (command !== 'serve' && command !== 'status' && command !== 'tracker')
    throw invalid(`'${command}' is not a command; see --help`);
  if (rest[0] !== undefined) throw invalid(`'${rest[0]}' is one argument too many for '${command}'`);
  const json = switches.has('--json');
  if (json && command !== 'status') throw invalid(`'--json' is not a flag of '${command}'; see --help`);
  return command === 'status' ? { command, flags, json } : { command, flags };
}

export function helpText(): string {
  const rows = SETTING_NAMES.map((name) => {
    const { arg, says, otherwise, repeatable } = SETTINGS[name];
    return `  --${name} ${arg}\n        ${says}${repeatable ? '; repeatable' : ''}\n        default: ${otherwise}\n`;
  });
  return `usage: debtorrent [serve] [flags]    run the daemon
       debtorrent status [--json]    say what the running daemon does
       debtorrent seed PATH… [--verbose]    take packages that exist already (files, directories) into the cache
       debtorrent tracker [--listen ADDR:PORT]    run a tracker, over HTTP and UDP; default: [::]:6969
       debtorrent --version | --help

flags:
${rows.join('')}
Every flag is also a key of the configuration file (without --) and an environment variable (--cache-dir is
${envName('cache-dir')}; several values are separated by commas or spaces). Flags beat environment, environment beats file.
`;
}

function invalid(message: string): DebtorrentError {
  return new DebtorrentError('CONFIG_INVALID', message);
}
