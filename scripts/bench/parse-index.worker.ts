/** Loads an index each time it is told to, in a thread as the packages parser's. */
import { parentPort } from 'node:worker_threads';
import { type IndexFile, loadIndex } from '../../src/actors/packages-parser/index-loader.ts';

export interface ParseReport {
  /** From being told to a table that answers. */
  readonly ms: number;
  readonly files: number;
}

parentPort?.on('message', (file: IndexFile) => {
  const started = performance.now();
  void loadIndex(file, new AbortController().signal).then(({ files }) => {
    const report: ParseReport = { ms: performance.now() - started, files };
    parentPort?.postMessage(report);
  });
});
