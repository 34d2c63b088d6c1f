/**
 * `npm test -- [patterns]`: builds, runs the compiled tests (those whose path contains one of the patterns) and ends
 * with a line of totals. What is counted are claims (lib/read-tap.mjs), not assertions.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ensureBuilt, root } from './lib/ensure.mjs';

/** Test files at a time. Many start daemons and APT, and some machines have two cores; most wait half of their time. */
const JOBS = Number(process.env.TEST_JOBS ?? 3);

// Whoever runs the tests may have others: APT's own user reads what tests make, and they read what programs say.
process.umask(0o022);
process.env.LC_ALL = 'C.UTF-8';

await ensureBuilt();
// it loads a package, which is sure to be there only now
const { runTestFile } = await import('./lib/run-test-file.mjs');

const directory = join(root, 'dist/test');
const patterns = process.argv.slice(2);
const files = readdirSync(directory, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
  .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  // backwards, as the longest are those of the whole system: none of these is left alone at the end
  .sort()
  .toReversed();
if (files.length === 0) console.log('no test file has that in its path');

const running = new Set();
const end = (signal) => {
  for (const abort of running) abort.abort();
  process.exitCode = signal === 'SIGINT' ? 130 : 143;
  process.exit();
};
process.once('SIGINT', end);
process.once('SIGTERM', end);

const totals = { passed: 0, failed: 0, skipped: 0 };
const queue = [...files];
async function work() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const abort = new AbortController();
    running.add(abort);
    const result = await runTestFile(root, join('dist/test', file), abort.signal);
    running.delete(abort);
    for (const key of Object.keys(totals)) totals[key] += result[key];
    console.log(describe(file, result));
  }
}
await Promise.all(Array.from({ length: JOBS }, work));

function describe(file, { passed, failed, skipped, ms, details }) {
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
  const head = `${failed > 0 ? 'FAIL' : 'ok  '} ${file}  ${counts.filter(Boolean).join(', ')}  (${Math.round(ms)} ms)`;
  return [head, ...details].join('\n');
}

const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
console.log(`\n${totals.passed} passed, ${totals.failed} failed${skipped}`);
process.exitCode = totals.failed === 0 && files.length > 0 ? 0 : 1;
