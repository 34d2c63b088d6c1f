/** A report as it is kept: what ran where, and what it showed. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { rounded } from '../../support/rounded.ts';
import type { RunResult } from '../results.ts';
import { renderHtml } from './html.ts';

export interface Report {
  readonly title: string;
  /** ISO 8601. */
  readonly date: string;
  readonly command: string;
  /** In a sentence. */
  readonly load: string;
  readonly archive: string;
  readonly machine: string;
  readonly results: readonly RunResult[];
}

/** Writes BASE.json and BASE.html. */
export async function writeReport(base: string, report: Report): Promise<void> {
  await mkdir(dirname(base), { recursive: true });
  await writeFile(`${base}.json`, `${JSON.stringify(report, rounded, 1)}\n`);
  await writeFile(`${base}.html`, renderHtml(report));
}
