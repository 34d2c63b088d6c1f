/**
 * `npm run bench [-- NAME…]`: runs the benchmarks, each against a peer in the same run, prints the ratios and keeps
 * them with the raw figures in bench/results.json. Results of benchmarks that were not run stay as they were.
 */
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { cached } from './cached.ts';
import { catalogue } from './catalogue.ts';
import { crowd } from './crowd/crowd.ts';
import { limited, packages } from './downloads.ts';
import { type Figure, renderTable } from './figures.ts';
import { floor } from './floor/floor.ts';
import { kernel } from './kernel.ts';
import { benchDirectory, localMirror, type LocalMirror } from '../support/local-mirror.ts';
import { machineFacts, missingPrograms } from '../support/machine.ts';
import { memory } from './memory.ts';
import { method, methodCpu, methodLimited, methodStart } from './method/method.ts';
import { noPeers } from './no-peers.ts';
import { parseIndex } from './parse-index.ts';
import { peerLarge } from './peer-large.ts';
import { peerPackages } from './peer-packages.ts';
import { mergeResults } from './results.ts';
import { noteRemoval, rested } from '../support/rested.ts';
import { createScope, temporaryDirectory } from '../support/scope.ts';

const BENCHMARKS: readonly Benchmark[] = [
  packages,
  limited,
  floor,
  methodStart,
  method,
  methodCpu,
  methodLimited,
  cached,
  catalogue,
  parseIndex,
  memory,
  kernel,
  peerLarge,
  peerPackages,
  noPeers,
  crowd,
];

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`no benchmark ${unknown}; there are ${BENCHMARKS.map(({ name }) => name).join(', ')}\n`);
    return 2;
  }
  const missing = await missingPrograms();
  if (missing.length > 0) {
    process.stderr.write(`benchmarks need ${missing.join(', ')}; on Debian: apt-get install PACKAGE\n`);
    return 1;
  }
  const scope = createScope();
  let stopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopped = true;
      void scope.close().then(() => process.exit(130));
    });
  }
  process.stdout.on('error', () => undefined); // nobody reads any more: the end still has to be orderly
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  let failures = 0;
  const all: Figure[] = [];
  try {
    await mkdir(benchDirectory(), { recursive: true });
    await rested(benchDirectory(), say);
    scope.defer(() => noteRemoval(benchDirectory())); // when the directory is gone
    const directory = await temporaryDirectory(scope, benchDirectory(), 'run');
    const keep = process.env['BENCH_KEEP'];
    if (keep !== undefined) scope.defer(() => keepLogs(directory, keep));
    let copy: Promise<LocalMirror> | undefined;
    const context: BenchContext = { scope, directory, say, mirror: () => (copy ??= localMirror(scope, say)) };
    const machine = await machineFacts(scope);
    for (const benchmark of BENCHMARKS.filter(({ name }) => names.length === 0 || names.includes(name))) {
      if (stopped) break;
      say(`${benchmark.name}: ${benchmark.title}`);
      try {
        const why = await benchmark.unable?.(scope);
        if (why !== undefined) {
          say(`  skipped: ${why}`);
          continue;
        }
        const figures = await benchmark.run(context);
        await mergeResults(join(process.cwd(), 'bench/results.json'), machine, benchmark.name, figures);
        all.push(...figures);
      } catch (error) {
        failures++;
        if (!stopped) say(`  failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (all.length > 0) say(`\n${renderTable(all)}`);
  } finally {
    await scope.close();
  }
  return failures === 0 ? 0 : 1;
}

/** Copies what daemons and mirrors have logged. */
async function keepLogs(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const paths = (await readdir(from, { recursive: true })).filter((path) => path.endsWith('.log'));
  for (const path of paths) await copyFile(join(from, path), join(to, path.replaceAll('/', '_')));
}

process.exitCode = await main(process.argv.slice(2));
