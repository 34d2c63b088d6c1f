/**
 * Runs one compiled test file in a process group of its own and reads the TAP that it prints. A file that crashes,
 * says nothing, hangs, or leaves processes behind has failed, whatever its tests say.
 */
import { spawn } from 'node:child_process';
import { inspect } from 'node:util';
import { readTap } from './read-tap.mjs';

/** A whole file may take this long: it only ends what hangs, and machines with much to do take ten times as long. */
const FILE_TIMEOUT_MS = 600_000;
/** Time for a file's last output to arrive once it has exited: children that it left keep its pipes open. */
const CLOSE_GRACE_MS = 3_000;
/** Of what a failed file says on standard error, the end is shown. */
const STDERR_SHOWN = 16_384;
/** Of the name of a failed assertion and of its difference, the beginning. */
const NAME_SHOWN = 300;
const DIFF_SHOWN = 4_000;

/**
 * @param {string} root
 * @param {string} file relative to root
 * @param {AbortSignal} signal kills it
 * @returns {Promise<{ passed: number, failed: number, skipped: number, ms: number, details: string[] }>}
 */
export async function runTestFile(root, file, signal) {
  const started = performance.now();
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP: '1', TAP_BAIL: '0', TAP_TIMEOUT: String(FILE_TIMEOUT_MS / 1000) },
  });
  const killGroup = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // all of it has ended
    }
  };
  signal.addEventListener('abort', killGroup, { once: true });
  let problem;
  const timeout = setTimeout(() => {
    problem = `it ran for more than ${FILE_TIMEOUT_MS / 1000} s`;
    killGroup();
  }, FILE_TIMEOUT_MS);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr = (stderr + text).slice(-STDERR_SHOWN)));
  const results = readTap(child.stdout);
  const closed = new Promise((resolve) => child.once('close', resolve));
  const [code, killedBy] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...how) => resolve(how));
  });
  clearTimeout(timeout);
  const grace = setTimeout(() => {
    problem ??= 'it left processes behind that hold its output open';
    killGroup();
  }, CLOSE_GRACE_MS);
  await closed;
  clearTimeout(grace);
  killGroup();
  const { level, summary } = await results;
  const { passed, skipped, failures, skips } = level;
  const claims = passed + skipped + level.failed;
  // a file that skips itself has a plan of no tests, with the reason; tap gives one to a file without tests too
  const skipsItself = claims === 0 && summary.plan.skipAll && summary.plan.comment !== 'no tests found';
  if (skipsItself) skips.push({ name: 'all of it', skip: summary.plan.comment });
  if (problem === undefined && level.failed === 0) {
    if (code !== 0) problem = `it ended with ${killedBy ?? `exit code ${code}`}`;
    else if (claims === 0 && !skipsItself) problem = 'it has no tests';
    else if (!summary.ok) problem = `its output is not valid TAP: ${summary.failures[0]?.tapError ?? ''}`;
  }
  const failed = level.failed + (problem === undefined ? 0 : 1);
  return {
    passed,
    failed,
    skipped: skips.length,
    ms: performance.now() - started,
    details: [
      ...skips.map(({ name, skip, todo }) => `     skipped: ${name} (${skip || todo})`),
      ...(problem === undefined ? [] : [`     ${problem}`]),
      ...(failed === 0 ? [] : failures.flatMap(describeFailure)),
      ...(failed === 0 || stderr === '' ? [] : ['     standard error:', indent(stderr, 7)]),
    ],
  };
}

function describeFailure({ fullname, name, diag }) {
  const { diff, stack, source, ...rest } = diag ?? {};
  const shown = (diff ?? inspect(rest, { depth: 6, breakLength: 100 })).slice(0, DIFF_SHOWN);
  const parts = [shown, source, stack].filter(Boolean).map((part) => indent(part, 9));
  return [`     ✗ ${(fullname || name).slice(0, NAME_SHOWN)}`, ...parts];
}

function indent(text, columns) {
  return String(text).trimEnd().replaceAll(/^/gm, ' '.repeat(columns));
}
