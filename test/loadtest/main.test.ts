/** The load test as people run it: a small archive, our daemon, and what is left afterwards, which is nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import type { RunResult } from '../../scripts/loadtest/results.ts';
import { skipWithout, until } from '../support/process.ts';

t.setTimeout(600_000);

const MAIN = fileURLToPath(new URL('../../scripts/loadtest/main.js', import.meta.url));
const skip = skipWithout('apt-get', 'gpg', 'gpgv', 'xz', 'nginx');
const SMALL = ['--packages=30', '--bytes=2M', '--clients=5', '--each=10', '--ramp=0ms'];

function start(t: Test, ...args: string[]) {
  const tmp = mkdtempSync(join(tmpdir(), 'dt-lt-'));
  t.teardown(() => rmSync(tmp, { recursive: true, force: true }));
  const env = { ...process.env, TMPDIR: tmp };
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  t.teardown(() => child.kill('SIGKILL'));
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, tmp, exited, output: () => output };
}

/** Command lines of processes that have to do with that directory. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
        return line.includes(directory) ? [line] : [];
      } catch {
        return [];
      }
    });
}

t.test(
  'simulated and real clients: every file is right, the mirror sends each once, a report is left',
  { skip },
  async (t) => {
    const out = mkdtempSync(join(tmpdir(), 'dt-report-'));
    t.teardown(() => rmSync(out, { recursive: true }));
    const { exited, output, tmp } = start(
      t,
      ...SMALL,
      '--sessions=2',
      '--apt=1',
      '--method=1',
      '--report',
      join(out, 'deep/report'),
    );
    t.equal(await exited, 0, output());
    t.match(output(), /copies of each package +1\.000/);
    const { results } = JSON.parse(readFileSync(join(out, 'deep/report.json'), 'utf8')) as { results: RunResult[] };
    const [result] = results;
    t.match(result, {
      target: 'debtorrent',
      files: 5 * 22 + 2 * 20,
      notModified: 5,
      errors: {},
      sessions: { done: 14, failed: 0 },
    });
    t.equal(result?.mirror.copies, 1);
    t.ok((result?.cost?.peakResident ?? 0) > 10e6);
    t.equal(result?.latency.firstByte?.count, 5 * 20);
    t.equal(result?.latency.listsFirstByte?.count, 5 * 3);
    const page = readFileSync(join(out, 'deep/report.html'), 'utf8');
    t.match(page, /<svg[^]*copies of each package/);
    t.notMatch(page, /<script|src=|href=/, 'self-contained');
    t.same(readdirSync(tmp), [], 'nothing is left in the temporary directory');
    t.same(processesOf(tmp), []);
  },
);

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGKILL', null],
] as const) {
  t.test(`${signal} in the middle: no process and no file is left`, { skip }, async (t) => {
    const { child, exited, output, tmp } = start(t, ...SMALL, '--sessions=1000', '--think=1s');
    await until('the daemon runs', () => processesOf(tmp).some((line) => line.includes('serve')));
    if (signal === 'SIGINT') await until('files come', () => /\d s  \d/.test(output()), 60_000);
    child.kill(signal);
    t.equal(await exited, code, output());
    if (signal === 'SIGINT') {
      t.match(output(), /mirror sent +[1-9]/, 'what was measured so far is told as it was');
      // Less than one where a busy machine had not brought all of a file yet.
      t.match(output(), /copies of each package +(?:0\.\d{3}|1\.000)/);
    }
    await until('everything is gone', () => processesOf(tmp).length === 0 && readdirSync(tmp).length === 0);
  });
}

t.test('bad usage: one line, exit code 2, nothing started', async (t) => {
  const { exited, output } = start(t, '--target', 'http://192.0.2.1:80');
  t.equal(await exited, 2);
  t.match(output(), /^loadtest: --target: 'http:\/\/192\.0\.2\.1:80' is not on this machine.*\n$/);
});

/** What somebody else has started. */
async function listening(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('a target that fails does not take the results of the others with it', { skip }, async (t) => {
  const other = await listening(t, (_, res) => void res.writeHead(404, { 'Content-Length': 0 }).end());
  const { exited, output, tmp } = start(t, ...SMALL, '--warm', `--target=${other}`, '--target=debtorrent');
  t.equal(await exited, 1, output());
  t.match(output(), `loadtest: ${other}: ${other.slice('http://'.length)}: dists/load/InRelease: http-404\n`);
  t.match(output(), /^files, right +60$/m);
  t.same(readdirSync(tmp), []);
});

t.test('real apt-get that a target keeps waiting ends with the time', { skip }, async (t) => {
  // a byte now and then is no silence for APT
  const dripping = await listening(t, (_, res) => {
    res.writeHead(200, { 'Content-Length': 1_000_000 });
    const drip = setInterval(() => res.write('x'), 100);
    res.on('close', () => clearInterval(drip));
  });
  const { exited, output } = start(
    t,
    '--packages=3',
    '--clients=0',
    '--apt=1',
    '--duration=2s',
    `--target=${dripping}`,
  );
  t.equal(await exited, 0, output());
  t.match(output(), /^time +\S+ s \(cut short\)$/m);
});
