import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

interface Result {
  passed: number;
  failed: number;
  skipped: number;
  details: string[];
}
type RunTestFile = (root: string, file: string, signal: AbortSignal) => Promise<Result>;

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const module = (await import(join(ROOT, 'scripts/lib/run-test-file.mjs'))) as { runTestFile: RunTestFile };

async function result(t: Test, code: string, signal = new AbortController().signal) {
  const root = mkdtempSync(join(tmpdir(), 'debtorrent-runner-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'x.mjs'), `import t from 'tap';\n${code}`);
  const { passed, failed, skipped, details } = await module.runTestFile(root, 'x.mjs', signal);
  return { counts: [passed, failed, skipped], text: details.join('\n') };
}

t.test('claims are counted, not the assertions in them', async (t) => {
  const code =
    "t.test('a', async t => { t.ok(1); t.ok(1) }); t.test('b', async t => t.ok(1)); t.test('c', { skip: 'no apt' }, () => {});";
  const { counts, text } = await result(t, code);
  t.same(counts, [2, 0, 1]);
  t.match(text, 'skipped: c (no apt)');
});

t.test('a group counts as the tests in it', async (t) => {
  const code =
    "t.test('group', async t => { t.ok(1); await t.test('a', async t => t.ok(1)); await t.test('b', async t => t.ok(0));" +
    " await t.test('deep', async t => { await t.test('c', async t => t.ok(1)); await t.test('d', { skip: true }, () => {}); }) });" +
    " t.test('alone', async t => t.ok(1)); t.ok(1)";
  t.same((await result(t, code)).counts, [4, 1, 1]);
});

t.test('a group that fails by itself is one failure', async (t) => {
  const code = "t.test('group', async t => { await t.test('a', async t => t.ok(1)); throw new Error('after') });";
  const { counts, text } = await result(t, code);
  t.same(counts, [1, 1, 0]);
  t.match(text, '✗ group');
});

t.test('what failed is told with its name and difference', async (t) => {
  const { counts, text } = await result(
    t,
    "t.test('outer', async t => { t.test('inner', async t => { t.equal(1, 2, 'sums') }) }); console.error('a hint');",
  );
  t.same(counts, [0, 1, 0]);
  t.match(text, /✗ outer > inner > sums\n/);
  t.match(text, '+1');
  t.match(text, 'a hint');
});

t.test('a file that crashes, exits, or has no tests has failed', async (t) => {
  t.same(
    (await result(t, "t.test('a', async t => t.ok(1)); setTimeout(() => { throw new Error('late') }, 50);")).counts[1],
    1,
  );
  t.same(
    (await result(t, "await t.test('a', async t => t.ok(1)); setTimeout(() => process.reallyExit(3), 500);")).counts,
    [1, 1, 0],
  );
  t.same((await result(t, 'process.reallyExit(0)')).counts, [0, 1, 0]);
  t.same((await result(t, '')).counts, [0, 1, 0]);
  t.same((await result(t, "process.kill(process.pid, 'SIGKILL')")).counts, [0, 1, 0]);
  t.same((await result(t, "import './nowhere.mjs'")).counts, [0, 1, 0]);
});

t.test('a file that skips itself is skipped', async (t) => {
  t.same((await result(t, "t.plan(0, 'not here')")).counts, [0, 0, 1]);
});

t.test('processes left behind are a failure, and are ended', async (t) => {
  const code =
    "import { spawn } from 'node:child_process'; const c = spawn('sleep', ['1000'], { stdio: 'inherit' }); c.unref(); t.comment('pid', c.pid); t.test('a', async t => t.ok(1));";
  const { counts, text } = await result(t, code);
  t.same(counts, [1, 1, 0]);
  t.match(text, 'it left processes behind');
});

t.test('an abort ends a file that hangs', async (t) => {
  const abort = new AbortController();
  const pending = result(
    t,
    "t.test('a', { timeout: 0 }, () => new Promise(() => setInterval(() => {}, 1000)));",
    abort.signal,
  );
  setTimeout(() => abort.abort(), 1000);
  t.not((await pending).counts[1], 0);
});
