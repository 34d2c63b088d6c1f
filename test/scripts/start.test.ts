import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { makeCheckout } from './checkout.ts';

const INSTALLED = /^installing/m;
const BUILT = /^building$/m;

t.test('a fresh clone is installed, built and started by one command', async (t) => {
  const checkout = makeCheckout(t);
  const { code, stdout, output } = await checkout.start('--listen', '[::1]:0');
  t.equal(code, 0, output);
  t.equal(stdout, 'first serve --listen [::1]:0\n', 'standard output is the program’s alone');
  t.match(output, INSTALLED);
  t.match(output, BUILT);
  t.equal((await checkout.start()).output, 'first serve\n', 'the next time nothing is done');
});

t.test('only what changed is done again', async (t) => {
  const checkout = makeCheckout(t);
  await checkout.start();

  checkout.write('src/said.ts', "export const said: string = 'second';\n");
  const changed = await checkout.start();
  t.match(changed.output, BUILT);
  t.notMatch(changed.output, INSTALLED);
  t.equal(changed.stdout, 'second serve\n');

  unlinkSync(checkout.path('dist/src/said.js'));
  t.equal((await checkout.start()).stdout, 'second serve\n', 'a file that is gone from dist/ comes back');

  checkout.write('src/deep/extra.ts', 'export const extra = 1;\n');
  await checkout.start();
  t.ok(existsSync(checkout.path('dist/src/deep/extra.js')));
  rmSync(checkout.path('src/deep'), { recursive: true });
  await checkout.start();
  t.notOk(existsSync(checkout.path('dist/src/deep')), 'what has no source any more is removed');

  writeFileSync(checkout.path('package-lock.json'), `${readFileSync(checkout.path('package-lock.json'), 'utf8')}\n`);
  const touched = await checkout.start();
  t.notMatch(touched.output, INSTALLED, 'a lock file that still says what is installed');
});

t.test('the program that is started is whole, or made again', async (t) => {
  const checkout = makeCheckout(t);
  checkout.write('src/workers/idle.worker.ts', 'export const idle = 1;\n');
  checkout.write('src/method/main.ts', 'export const method = 1;\n');
  await checkout.start();
  const files = () => readdirSync(checkout.path('dist/program'), { recursive: true, encoding: 'utf8' }).toSorted();
  const whole = ['main/main.js', 'method/main.js', 'workers/idle.worker.js'];
  const all = ['main', 'method', 'workers', ...whole, ...whole.map((file) => `${file}.map`)].toSorted();
  t.same(files(), all);

  unlinkSync(checkout.path('dist/program/workers/idle.worker.js'));
  t.match((await checkout.start()).output, BUILT, 'a file is gone');
  t.same(files(), all);

  writeFileSync(checkout.path('dist/program/main/main.js'), '');
  t.equal((await checkout.start()).stdout, 'first serve\n', 'a file was cut short');

  rmSync(checkout.path('src/workers'), { recursive: true });
  await checkout.start();
  t.notOk(existsSync(checkout.path('dist/program/workers')), 'what has no source any more is removed');

  rmSync(checkout.path('dist/program'), { recursive: true });
  checkout.write('dist/.program/main/main.js', 'half a pro');
  t.equal((await checkout.start()).stdout, 'first serve\n', 'what an interrupted build has left');
  t.notOk(existsSync(checkout.path('dist/.program')));
  t.equal((await checkout.start()).output, 'first serve\n', 'then nothing is done');
});

t.test('a bundle that fails: what esbuild says, one line, exit 1, and the next build repairs it', async (t) => {
  const checkout = makeCheckout(t);
  await checkout.start();
  // the compiler cannot know that such a file is missing
  checkout.write('src/gone.d.ts', 'export declare const gone: string;\n');
  checkout.write('src/said.ts', "import { gone } from './gone.js';\nexport const said: string = gone;\n");
  for (let run = 0; run < 2; run++) {
    const { code, stdout, output } = await checkout.start();
    t.equal(code, 1);
    t.equal(stdout, '');
    t.match(output, /Could not resolve "\.\/gone\.js"/);
    t.match(output, /^debtorrent: esbuild: /m);
  }
  checkout.write('src/said.ts', "export const said: string = 'mended';\n");
  t.equal((await checkout.start()).stdout, 'mended serve\n');
});

t.test('npm run by hand is not repeated, a package that went missing is', async (t) => {
  const checkout = makeCheckout(t);
  await checkout.start();
  unlinkSync(checkout.path('node_modules/.debtorrent-installed.json'));
  t.notMatch((await checkout.start()).output, INSTALLED);
  unlinkSync(checkout.path('node_modules/.debtorrent-installed.json'));
  rmSync(checkout.path('node_modules/typescript'), { recursive: true });
  t.match((await checkout.start()).output, INSTALLED);
});

t.test('kill -9 during the installation or the build: the next start repairs it', async (t) => {
  for (const step of ['installing', 'building']) {
    const checkout = makeCheckout(t);
    const child = checkout.startGroup();
    await new Promise<void>((resolve) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => text.includes(step) && resolve());
    });
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await once(child, 'close');
    const { code, stdout, output } = await checkout.start();
    t.equal(code, 0, output);
    t.equal(stdout, 'first serve\n', step);
  }
});

t.test('a signal to npm alone ends the program, and npm with its exit code', async (t) => {
  const checkout = makeCheckout(t);
  checkout.write(
    'src/globals.d.ts',
    `declare const console: { log(...args: unknown[]): void };
declare const process: { exitCode: number; once(signal: string, listener: () => void): void };
declare function setInterval(listener: () => void, ms: number): unknown;
declare function clearInterval(timer: unknown): void;
`,
  );
  checkout.write(
    'src/main.ts',
    `export async function main() {
  const alive = setInterval(() => undefined, 1000);
  const signalled = new Promise<void>((resolve) => process.once('SIGTERM', resolve));
  console.log('ready');
  await signalled;
  clearInterval(alive);
  console.log('stopped');
  process.exitCode = 7;
}
`,
  );
  const child = checkout.startGroup();
  const group = child.pid ?? 0;
  let stdout = '';
  await new Promise<void>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (text.includes('ready')) resolve();
    });
  });
  const closed = once(child, 'close');
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const ended = await exited;
  t.same(ended, [7, null]);
  // one that goes on has the other end of standard output
  if (ended[0] !== 7) process.kill(-group, 'SIGKILL');
  await closed;
  t.equal(stdout, 'ready\nstopped\n');
});

t.test('starts at the same time install and build once', async (t) => {
  const checkout = makeCheckout(t);
  const runs = await Promise.all([1, 2, 3, 4].map((n) => checkout.start(`--n=${n}`)));
  for (const [n, { code, stdout, output }] of runs.entries()) {
    t.equal(code, 0, output);
    t.equal(stdout, `first serve --n=${n + 1}\n`);
  }
  t.equal(runs.filter(({ output }) => BUILT.test(output)).length, 1);
  t.equal(runs.filter(({ output }) => INSTALLED.test(output)).length, 1);
});

t.test('the lock of a process that died is taken over', async (t) => {
  const checkout = makeCheckout(t);
  const dead = { pid: 2 ** 22 - 1 }; // beyond what Linux gives out unless told to
  mkdirSync(checkout.path('dist/.lock'), { recursive: true });
  writeFileSync(checkout.path('dist/.lock/owners.json'), JSON.stringify([dead]));
  t.equal((await checkout.start()).stdout, 'first serve\n');
  t.notOk(existsSync(checkout.path('dist/.lock')));
});

t.test('a build that fails: the compiler’s message, one line, exit 1, nothing started', async (t) => {
  const checkout = makeCheckout(t);
  checkout.write('src/said.ts', "export const said: number = 'x';\n");
  const { code, stdout, output } = await checkout.start();
  t.equal(code, 1);
  t.equal(stdout, '');
  t.match(output, /said\.ts.*error TS2322/);
  t.match(output, /^debtorrent: .*tsc .* failed/m);
  checkout.write('src/said.ts', "export const said: string = 'mended';\n");
  t.equal((await checkout.start()).stdout, 'mended serve\n');
});
