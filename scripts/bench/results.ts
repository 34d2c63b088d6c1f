/** bench/results.json: the last figures of each benchmark, with the date, machine and command of that run. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { rounded } from '../support/rounded.ts';
import type { Figure } from './figures.ts';
import type { MachineFacts } from '../support/machine.ts';

interface Result {
  readonly date: string;
  readonly command: string;
  readonly machine: MachineFacts;
  readonly figures: readonly Figure[];
}

export async function mergeResults(
  path: string,
  machine: MachineFacts,
  benchmark: string,
  figures: readonly Figure[],
): Promise<void> {
  const results = await readFile(path, 'utf8').then(
    (text) => JSON.parse(text) as Record<string, Result>,
    (): Record<string, Result> => ({}),
  );
  results[benchmark] = { date: new Date().toISOString(), command: `npm run bench -- ${benchmark}`, machine, figures };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(results, rounded, 1)}\n`);
  await rename(`${path}.new`, path);
}
