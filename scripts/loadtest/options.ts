/** The command line of the load test: one table of flags, from which --help is made. */
import { parseArgs } from 'node:util';
import * as v from 'valibot';
import { integer, oneOf, path, size } from '../../src/config/values.ts';
import type { Faults } from './faults/faults.ts';
import { isLoopback } from './loopback-only.ts';

/** Bad usage; one line that names the flag and the value. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Text<T> = v.GenericSchema<string, T>;

interface Flag<T = unknown> {
  readonly arg: string;
  readonly schema: Text<T>;
  readonly otherwise: string | undefined;
  readonly says: string;
}

/** No run is longer. Timers end at 24 days, and the longest pause is five times the mean. */
const MAX_MS = 24 * 3_600_000;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `250ms`, `30s`, `5m`, `1h`, in milliseconds; at most a day. */
const duration = check(milliseconds, 'a time such as 250ms, 30s, 5m or 1h, of a day at most');

/** From one time to the next. */
const interval = check(
  (value) => milliseconds(value) || undefined,
  'a time such as 250ms, 30s, 5m or 1h, and not none',
);

function milliseconds(value: string): number | undefined {
  const [, number, unit = ''] = /^(\d{1,8}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(value) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? 0);
  return ms <= MAX_MS ? ms : undefined;
}

const share = check((value) => {
  const number = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(value)?.[1];
  const parsed =
    number === undefined ? (/^[01](?:\.\d{1,6})?$/.test(value) ? Number(value) : NaN) : Number(number) / 100;
  return parsed >= 0 && parsed <= 1 ? parsed : undefined;
}, 'a share such as 0.05 or 5%');

export type Popularity =
  { readonly kind: 'zipf'; readonly exponent: number } | { readonly kind: 'file'; readonly file: string };

const popularity = check((value): Popularity | undefined => {
  if (value === 'uniform') return { kind: 'zipf', exponent: 0 };
  const exponent = /^zipf(?::(\d(?:\.\d{1,3})?))?$/.exec(value);
  if (exponent !== null) return { kind: 'zipf', exponent: Number(exponent[1] ?? 1) };
  return /^file:./.test(value) ? { kind: 'file', file: value.slice('file:'.length) } : undefined;
}, 'zipf, zipf:EXPONENT, uniform or file:FILE');

const text = check(
  (value) => (value.length > 0 && value.length <= 200 ? value : undefined),
  'a text of 1 to 200 characters',
);

function check<T>(parse: (text: string) => T | undefined, expected: string): Text<T> {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: `is not ${expected}` });
      return NEVER;
    }),
  );
}

function flag<T>(schema: Text<T>, arg: string, otherwise: string | undefined, says: string): Flag<T> {
  return { schema, arg, otherwise, says };
}

/** More would run into the limits of one machine's ports and memory. */
const MAX_CLIENTS = 5000;
const MAX_REAL = 200;
const MAX_DURATION_MS = 2 * 3_600_000;

const FLAGS = {
  clients: flag(integer(0, MAX_CLIENTS), 'N', '50', 'simulated apt clients'),
  apt: flag(integer(0, MAX_REAL), 'N', '0', 'real apt-get clients besides, each a process with a root of its own'),
  method: flag(
    integer(0, MAX_REAL),
    'N',
    '0',
    'real apt-get with the method debtorrent:// besides; with other targets plain ones',
  ),
  each: flag(integer(1, 10_000), 'N', '40', 'packages that each asks for in a session'),
  sessions: flag(integer(1, 100_000), 'N', '1', 'sessions of each client: an update and an installation'),
  duration: flag(duration, 'TIME', '5m', 'longest time of a run; at most 2h'),
  ramp: flag(duration, 'TIME', '2s', 'time over which clients start'),
  think: flag(duration, 'TIME', '0s', "mean pause between a client's sessions"),
  leave: flag(share, 'SHARE', '0', 'share of sessions that end in the middle of a file'),
  popularity: flag(
    popularity,
    'LAW',
    'zipf',
    "zipf[:EXPONENT], uniform, or file:FILE of popularity-contest's by_inst form",
  ),
  packages: flag(integer(1, 100_000), 'N', '300', 'packages in the generated archive'),
  subset: flag(
    path,
    'FILE',
    undefined,
    'in place of it packages of the archive that APT is configured for: names, one a line',
  ),
  bytes: flag(size, 'SIZE', undefined, "how large they are together; with Debian's sizes unless given"),
  seed: flag(text, 'TEXT', 'debtorrent', 'archive and load follow from it'),
  daemons: flag(integer(1, 16), 'N', '1', 'debtorrent daemons, as a swarm when more than one'),
  peers: flag(integer(0, 16), 'N', '0', 'further daemons that have everything and are used by other daemons alone'),
  form: flag(
    oneOf(['prefix', 'proxy']),
    'FORM',
    'prefix',
    'how clients speak to debtorrent or to a URL: prefix or proxy',
  ),
  threads: flag(integer(1, 32), 'N', undefined, 'threads of simulated clients; half of the processors unless given'),
  title: flag(text, 'TEXT', undefined, 'title of the report'),
  report: flag(path, 'FILE', undefined, 'writes FILE.json and FILE.html'),
} satisfies Record<string, Flag>;

const FAULTS = {
  latency: { schema: duration, name: 'latency' },
  rate: { schema: size, name: 'rate' },
  'total-rate': { schema: size, name: 'totalRate' },
  errors: { schema: share, name: 'errors' },
  truncate: { schema: share, name: 'truncate' },
  stall: { schema: share, name: 'stall' },
  reset: { schema: share, name: 'reset' },
  restart: { schema: interval, name: 'restart' },
  'kill-peer': { schema: interval, name: 'killPeer' },
} as const satisfies Record<string, { schema: Text<number>; name: keyof Faults }>;

const FAULT_SAYS =
  'of the mirror: latency=TIME, rate=SIZE of a connection a second, total-rate=SIZE; errors, truncate, stall, reset=SHARE ' +
  'of answers; of the target: restart=TIME, kill-peer=TIME from one to the next; repeatable';

/** @throws UsageError */
function parseFaults(texts: readonly string[]): Faults {
  const faults: Record<string, number> = {};
  for (const text of texts) {
    const [key = '', ...rest] = text.split('=');
    const value = rest.join('=');
    const row = Object.hasOwn(FAULTS, key) ? FAULTS[key as keyof typeof FAULTS] : undefined;
    if (row === undefined)
      throw new UsageError(`--fault: '${text}' is not KEY=VALUE with one of ${Object.keys(FAULTS).join(', ')}`);
    const result = v.safeParse(row.schema, value);
    if (!result.success) throw new UsageError(`--fault: ${key}: '${value}' ${result.issues[0].message}`);
    faults[row.name] = result.output;
  }
  return faults;
}

const SWITCHES = {
  warm: 'everything is in the cache before the load begins',
  compare: 'runs the same load on every proxy that is found on this machine, in turn',
  'i-own-this-target': 'allows addresses that are not loopback',
  help: 'this',
} as const;

type Values = { readonly [K in keyof typeof FLAGS]: v.InferOutput<(typeof FLAGS)[K]['schema']> };
type Optional = 'bytes' | 'subset' | 'threads' | 'report' | 'title';

export interface Options extends Omit<Values, Optional>, Partial<Pick<Values, Optional>> {
  /** Names of targets, or URLs; none means debtorrent. */
  readonly targets: readonly string[];
  readonly faults: Faults;
  readonly warm: boolean;
  readonly compare: boolean;
}

/**
 * @param argv What follows `npm run loadtest --`
 * @throws UsageError
 */
export function parseOptions(argv: readonly string[]): Options | 'help' {
  const names = Object.keys(FLAGS) as (keyof typeof FLAGS)[];
  const known = {
    ...Object.fromEntries(names.map((name) => [name, { type: 'string' } as const])),
    ...Object.fromEntries(Object.keys(SWITCHES).map((name) => [name, { type: 'boolean' } as const])),
    target: { type: 'string', multiple: true } as const,
    fault: { type: 'string', multiple: true } as const,
  };
  const { values } = parse(argv, known);
  const given = values as Record<string, string | boolean | string[] | undefined>;
  if (given['help'] === true) return 'help';
  const parsed: Record<string, unknown> = {};
  for (const name of names) {
    const text = given[name] ?? FLAGS[name].otherwise;
    if (typeof text !== 'string') continue;
    const result = v.safeParse(FLAGS[name].schema, text);
    if (!result.success) throw new UsageError(`--${name}: '${text}' ${result.issues[0].message}`);
    parsed[name] = result.output;
  }
  const targets = (given['target'] ?? []) as string[];
  const options = {
    ...(parsed as unknown as Values),
    targets,
    faults: parseFaults((given['fault'] ?? []) as string[]),
    warm: given['warm'] === true,
    compare: given['compare'] === true,
  };
  if (options.duration > MAX_DURATION_MS) throw new UsageError(`--duration: '${String(given['duration'])}' is over 2h`);
  for (const target of targets) checkTarget(target, given['i-own-this-target'] === true);
  checkEffect(options);
  return options;
}

/** What would have no effect is a mistake: the figures of such a run would be taken for those of another. */
function checkEffect({ clients, apt, method, peers, targets, compare, faults }: Options): void {
  if (clients + apt + method === 0) throw new UsageError("--clients: '0' leaves no client, without --apt or --method");
  const ours = targets.length === 0 || compare || targets.includes('debtorrent');
  if (!ours && (faults.restart ?? faults.killPeer) !== undefined) {
    throw new UsageError('--fault: restart and kill-peer are of debtorrent, which is no target here');
  }
  if (faults.killPeer !== undefined && peers === 0) throw new UsageError('--fault: kill-peer without --peers');
}

type Known = Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>;

function parse(argv: readonly string[], options: Known) {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false });
  } catch (error) {
    throw new UsageError((error instanceof Error ? error.message : String(error)).split(/\.\s/)[0] ?? 'bad usage');
  }
}

export function isUrl(target: string): boolean {
  return target.includes('://');
}

function checkTarget(target: string, owned: boolean): void {
  if (!isUrl(target)) return;
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (url?.protocol !== 'http:') throw new UsageError(`--target: '${target}' is not an http URL`);
  if (url.href !== `http://${url.host}/`) {
    throw new UsageError(`--target: '${target}' is not http://HOST[:PORT] alone: paths follow from --form`);
  }
  if (isLoopback(url.hostname) || owned) return;
  throw new UsageError(`--target: '${target}' is not on this machine; --i-own-this-target says that you may load it`);
}

/** @param targets Names that --target takes */
export function helpText(targets: readonly string[]): string {
  const line = (name: string, says: string) => `  ${name.padEnd(22)} ${says}`;
  const flags = Object.entries<Flag>(FLAGS).map(([name, { arg, otherwise, says }]) =>
    line(`--${name} ${arg}`, otherwise === undefined ? says : `${says} (${otherwise})`),
  );
  const switches = Object.entries(SWITCHES).map(([name, says]) => line(`--${name}`, says));
  return [
    'npm run loadtest -- [flags]: apt clients by the hundred, every byte checked, on a proxy for APT',
    '',
    line('--target NAME|URL', `${targets.join(', ')}, or the URL of a proxy that runs (debtorrent); repeatable`),
    ...flags,
    line('--fault KEY=VALUE', FAULT_SAYS),
    ...switches,
    '',
  ].join('\n');
}
