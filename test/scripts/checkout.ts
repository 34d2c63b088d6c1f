/** A small checkout with this project's launchers, the real npm, and two dependencies: the real compiler and esbuild. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { run, type RunResult } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface Checkout {
  path(file: string): string;
  write(file: string, text: string): void;
  /** Runs `npm start` with its own output off. */
  start(...args: string[]): Promise<RunResult>;
  /** The same, as a process group of its own, to be killed. */
  startGroup(): ChildProcess;
}

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
const PACKAGE = { name: 'small', version: '1.0.0', type: 'module', scripts: { start: scripts.start } };
// packages in the checkout itself: npm installs them as links, without a network
const DEPENDENCIES = { typescript: 'file:vendor/typescript', esbuild: 'file:vendor/esbuild' };
const LOCK = {
  name: 'small',
  version: '1.0.0',
  lockfileVersion: 3,
  requires: true,
  packages: {
    '': { name: 'small', version: '1.0.0', devDependencies: DEPENDENCIES },
    'vendor/typescript': { version: '1.0.0', dev: true },
    'node_modules/typescript': { resolved: 'vendor/typescript', link: true },
    'vendor/esbuild': { version: '1.0.0', dev: true },
    'node_modules/esbuild': { resolved: 'vendor/esbuild', link: true },
  },
};

export function makeCheckout(t: Test): Checkout {
  const root = mkdtempSync(join(tmpdir(), 'debtorrent-checkout-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const path = (file: string) => join(root, file);
  const write = (file: string, text: string) => {
    mkdirSync(dirname(path(file)), { recursive: true });
    writeFileSync(path(file), text);
  };
  for (const file of ['scripts/start.mjs', 'scripts/lib', 'tsconfig.json'])
    cpSync(join(ROOT, file), path(file), { recursive: true });
  write('package.json', JSON.stringify({ ...PACKAGE, devDependencies: DEPENDENCIES }));
  write('vendor/typescript/package.json', JSON.stringify({ name: 'typescript', version: '1.0.0' }));
  write('vendor/typescript/bin/tsc', `import(${JSON.stringify(join(ROOT, 'node_modules/typescript/bin/tsc'))});\n`);
  write('vendor/esbuild/package.json', JSON.stringify({ name: 'esbuild', version: '1.0.0', type: 'module' }));
  write(
    'vendor/esbuild/index.js',
    `export * from ${JSON.stringify(join(ROOT, 'node_modules/esbuild/lib/main.js'))};\n`,
  );
  write('package-lock.json', JSON.stringify(LOCK));
  write(
    'src/main.ts',
    "import { said } from './said.ts';\nexport async function main(argv: string[]) {\n  console.log(said, ...argv);\n}\n",
  );
  write('src/said.ts', "export const said: string = 'first';\n");
  write('src/globals.d.ts', 'declare const console: { log(...args: unknown[]): void };\n');
  write(
    'tsconfig.json',
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { types: [], rootDir: '.', outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' },
      include: ['src/**/*.ts'],
    }),
  );
  const options = {
    cwd: root,
    env: { ...process.env, npm_config_offline: 'true', npm_config_update_notifier: 'false' },
  };
  const args = ['start', '--silent', '--'];
  return {
    path,
    write,
    start: (...more) => run('npm', [...args, ...more], options),
    startGroup: () => spawn('npm', args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }),
  };
}
