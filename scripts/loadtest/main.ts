/**
 * `npm run loadtest -- [flags]`: makes an archive, serves it, starts the targets one after the other, puts the same
 * load on each and reports. Whatever it starts and writes is gone when it ends, however it ends.
 */
import { chmod, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { temporaryDirectory } from '../support/scope.ts';
import { generateArchive } from './archive/generated.ts';
import { subsetArchive } from './archive/subset.ts';
import type { LoadArchive } from './archive/load-archive.ts';
import type { Load } from './load/load.ts';
import { parsePopcon, popconWeights, zipfWeights } from './load/popularity.ts';
import { type Options, type Popularity, UsageError, helpText, parseOptions } from './options.ts';
import { commandLine, describeArchive, describeLoad, describeMachine } from './describe.ts';
import { createProgress } from './report/progress.ts';
import { writeReport } from './report/report.ts';
import { renderTable } from './report/table.ts';
import type { RunResult } from './results.ts';
import { defaultThreads, runOn } from './run.ts';
import { createSession } from './session.ts';
import { TARGET_NAMES, chooseTargets } from './targets/targets.ts';

const session = createSession();
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === 'help') {
    process.stdout.write(helpText(TARGET_NAMES));
    return 0;
  }
  const targets = await chooseTargets(options, say);
  const directory = await temporaryDirectory(session.scope, tmpdir(), 'loadtest');
  session.guard(directory);
  await chmod(directory, 0o711); // some targets run as a user of their own
  // the mirror, gpg and the targets keep what they need in there, too
  process.env['TMPDIR'] = directory;
  const date = new Date().toISOString();
  say('making the archive');
  const { seed, packages, bytes } = options;
  const archive =
    options.subset === undefined
      ? await generateArchive(session.scope, { seed, packages, bytes, directory })
      : await subsetArchive(session.scope, options.subset, say);
  const weights = await weightsOf(options.popularity, archive);
  const progress = createProgress(process.stderr);
  const results: RunResult[] = [];
  let failed = false;
  for (const target of targets) {
    try {
      const result = await runOn(session.scope, target, {
        archive,
        weights,
        load: loadOf(options),
        realApts: options.apt,
        methodApts: options.method,
        faults: options.faults,
        warm: options.warm,
        threads: options.threads ?? defaultThreads(),
        longestMs: options.duration,
        directory,
        onProgress: (now) => progress.show(now),
        say,
        signal: session.signal,
        toItsEnd: (work) => session.toItsEnd(work),
      });
      results.push(result);
    } catch (error) {
      // what the others show is worth as much without this one
      failed = true;
      if (!session.signal.aborted) say(`loadtest: ${target.name}: ${messageOf(error)}`);
    } finally {
      progress.end();
    }
    if (session.signal.aborted) break;
  }
  if (results.length === 0) return 1;
  process.stdout.write(`${renderTable(results)}\n`);
  if (options.report !== undefined) {
    const title = options.title ?? describeLoad(options);
    const [command, machine] = [commandLine(argv), describeMachine()];
    const about = {
      title,
      date,
      command,
      load: describeLoad(options),
      archive: describeArchive(archive, seed),
      machine,
    };
    await writeReport(options.report, { ...about, results });
    say(`written: ${options.report}.html and .json`);
  }
  return !failed && results.every(({ errors }) => Object.keys(errors).length === 0) ? 0 : 1;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function loadOf(options: Options): Load {
  const { seed, clients, sessions, leave } = options;
  return { seed, clients, packagesEach: options.each, sessions, rampMs: options.ramp, thinkMs: options.think, leave };
}

async function weightsOf(popularity: Popularity, { packages }: LoadArchive): Promise<Float64Array> {
  if (popularity.kind === 'zipf') return zipfWeights(packages.length, popularity.exponent);
  const popcon = parsePopcon(await readFile(popularity.file, 'utf8'));
  if (popcon.size === 0) throw new UsageError(`--popularity: '${popularity.file}' has no line RANK NAME INSTALLATIONS`);
  return popconWeights(
    packages.map(({ name }) => name),
    popcon,
  );
}

let code: number;
try {
  code = await main(process.argv.slice(2));
} catch (error) {
  if (!session.signal.aborted) say(`loadtest: ${messageOf(error)}`);
  code = error instanceof UsageError ? 2 : 1;
}
await session.end();
process.exitCode = session.code ?? code;
