/** `parse-index`: the release's main index from .xz to ready, against xz with python3-apt's TagFile over it. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Sha256 } from '../../src/core/ids.ts';
import type { IndexFile } from '../../src/actors/packages-parser/index-loader.ts';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { compare, type Figure } from './figures.ts';
import type { ParseReport } from './parse-index.worker.ts';
import { run, type Scope, withScope } from '../support/scope.ts';

const ROUNDS = 7;
/** The system's own Python, which python3-apt is for. */
const PYTHON = '/usr/bin/python3';
const TAG_FILE = `
import apt_pkg, sys
count = 0
for section in apt_pkg.TagFile(sys.stdin.buffer):
    section["Filename"]; section["Size"]; section["SHA256"]
    count += 1
print(count)
`;

export const parseIndex: Benchmark = {
  name: 'parse-index',
  title: 'the main index from .xz to ready',
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function measure(scope: Scope, { directory, mirror, say }: BenchContext): Promise<Figure[]> {
  const copy = await mirror();
  const [main] = copy.suites;
  if (main === undefined) throw new Error('no mirror');
  const path = join(copy.root, main.archive, main.index);
  const data = await readFile(path);
  const sha256 = createHash('sha256').update(data).digest('hex') as Sha256;
  const file: IndexFile = {
    path,
    kind: 'packages',
    compression: 'xz',
    sha256,
    size: data.length,
    scratchDir: directory,
  };
  const first: number[] = [];
  const later: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new Worker(new URL('parse-index.worker.js', import.meta.url));
    scope.defer(async () => void (await worker.terminate()));
    await once(worker, 'online');
    const cold = await load(worker, file);
    const warm = await load(worker, file);
    await worker.terminate();
    const [ms, count] = await tagFile(scope, path);
    if (count !== cold.files) throw new Error(`${cold.files} files here, ${count} in python3-apt`);
    first.push(cold.ms);
    later.push(warm.ms);
    peer.push(ms);
    say(
      `  first ${cold.ms.toFixed(0)} ms, later ${warm.ms.toFixed(0)} ms, TagFile ${ms.toFixed(0)} ms, ${count} files`,
    );
  }
  const common = {
    benchmark: 'parse-index',
    unit: 'ms',
    ours: 'debtorrent',
    peer: 'xz | TagFile',
    target: { maxRatio: 1 },
  };
  return [
    compare({ ...common, measure: 'first index of a thread' }, { debtorrent: first, 'xz | TagFile': peer }),
    compare({ ...common, measure: 'later index of a thread' }, { debtorrent: later, 'xz | TagFile': peer }),
  ];
}

async function load(worker: Worker, file: IndexFile): Promise<ParseReport> {
  worker.postMessage(file);
  const [report] = (await once(worker, 'message')) as [ParseReport];
  return report;
}

async function tagFile(scope: Scope, path: string): Promise<[ms: number, count: number]> {
  const started = performance.now();
  const { stdout } = await run(scope, 'sh', ['-c', 'xz -dc "$1" | "$2" -c "$3"', 'sh', path, PYTHON, TAG_FILE]);
  return [performance.now() - started, Number(stdout)];
}
