/** A run in words, for the report: what was loaded how, with what, where. */
import { cpus, release, totalmem } from 'node:os';
import type { LoadArchive } from './archive/load-archive.ts';
import type { Options } from './options.ts';
import { bytes, count, seconds } from './report/units.ts';

/** Faults that are a share of the answers. */
const SHARES: ReadonlySet<string> = new Set(['errors', 'truncate', 'stall', 'reset']);

export function describeLoad(options: Options): string {
  const { clients, apt, method, each, sessions, ramp, think, leave, popularity } = options;
  const who = [
    ...(clients > 0 ? [`${count(clients)} simulated clients`] : []),
    ...(apt > 0 ? [`${count(apt)} real apt-get`] : []),
    ...(method > 0 ? [`${count(method)} apt-get with the method`] : []),
  ];
  const law =
    popularity.kind === 'file'
      ? 'by popularity contest'
      : popularity.exponent === 0
        ? 'uniform'
        : `Zipf ${popularity.exponent}`;
  const parts = [
    `${who.join(' and ')}, ${count(each)} packages each (${law})`,
    ...(sessions > 1 ? [`${count(sessions)} sessions`] : []),
    options.warm ? 'warm' : 'cold',
    `started over ${seconds(ramp / 1000)}`,
    ...(think > 0 ? [`pauses of ${seconds(think / 1000)}`] : []),
    ...(leave > 0 ? [`${(leave * 100).toFixed(0)} % leave in the middle`] : []),
  ];
  const faults = Object.entries(options.faults).map(
    ([name, value]) => `${name} ${SHARES.has(name) ? `${value * 100} %` : count(value)}`,
  );
  if (faults.length > 0) parts.push(`faults: ${faults.join(', ')} (milliseconds, bytes)`);
  return parts.join(', ');
}

export function describeArchive({ packages, keyring }: LoadArchive, seed: string): string {
  const sizes = packages.map(({ size }) => size).toSorted((a, b) => a - b);
  const at = (share: number): string => bytes(sizes[Math.min(sizes.length - 1, Math.floor(share * sizes.length))]);
  const total = bytes(sizes.reduce((sum, size) => sum + size, 0));
  const from = keyring === undefined ? 'of the archive that APT is configured for' : `generated, seed “${seed}”`;
  return (
    `${count(sizes.length)} packages, ${total}, ${from}; ` +
    `smallest ${at(0)}, median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, largest ${at(1)}`
  );
}

export function describeMachine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  return `${cpus().length} processors (${model}), ${bytes(totalmem())} memory, Linux ${release()}, Node ${process.version}`;
}

/** The command for the report. Of absolute paths the last part is enough to repeat it, and a report may go anywhere. */
export function commandLine(argv: readonly string[]): string {
  const quoted = argv
    .map((word, at) => (takesPath(argv[at - 1]) ? withoutDirectory(word) : word.replace(INLINE_PATH, '$1')))
    .map((word) => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return `npm run loadtest -- ${quoted.join(' ')}`.trim();
}

const INLINE_PATH = /^(--(?:report|subset)=|--popularity=file:)\/(?:.*\/)?/;

function takesPath(flag: string | undefined): boolean {
  return flag === '--report' || flag === '--subset' || flag === '--popularity';
}

/** Of `file:/dir/name`, too. */
function withoutDirectory(word: string): string {
  return word.replace(/^(file:)?\/(?:.*\/)?/, '$1');
}
