/**
 * Makes dist/program/ of src/: what bin/ and `npm start` run. Node takes a millisecond or two of processor time for each
 * file that it loads as a module, and the threads of the daemon load some 400 of this project and as many of npm's
 * packages; here each thread is one file, and the main thread a few, since its commands are loaded when they are needed.
 * All files lie as deep as those of src/X/ lie in dist/, and workers/ beside them: what a module in src/X/ finds by
 * import.meta.url it finds from here too.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, stop } from 'esbuild';

/** What is not finished stands here, so that whatever interrupts it, no half of a program can be started. */
const UNFINISHED = 'dist/.program';

/** npm packages that stay outside, with no dependencies but optional ones: piscina's threads start from its own file. */
const UNBUNDLED = JSON.parse(readFileSync(new URL('unbundled.json', import.meta.url), 'utf8'));

/** What packages written as CommonJS expect of Node, in the program's modules. */
const COMMONJS = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
const { filename: __filename, dirname: __dirname } = import.meta;`;

/** The APT method is a program of its own; `debtorrent method` starts the same file, not a second copy of it. */
const methodApart = {
  name: 'method-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/method\/main\.ts$/ }, () => ({ path: '../method/main.js', external: true }));
  },
};

/**
 * @param {string} root @param {string} program the directory to make, relative to root
 * @throws Error when it cannot be done; why is on standard error
 */
export async function bundle(root, program) {
  const options = {
    absWorkingDir: root,
    outdir: join(root, UNFINISHED),
    write: false,
    bundle: true,
    external: UNBUNDLED,
    banner: { js: COMMONJS },
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    charset: 'utf8',
    sourcemap: true,
    sourcesContent: false, // they are in the checkout
    logLevel: 'warning',
  };
  const alone = ['method/main.ts', ...workers(root)].filter((file) => existsSync(join(root, 'src', file)));
  const main = {
    entryPoints: { 'main/main': 'src/main.ts' },
    chunkNames: 'main/[name]-[hash]',
    splitting: true,
    plugins: [methodApart],
  };
  let results;
  try {
    results = await Promise.all([
      build({ ...options, ...main }),
      // threads share no code once it is loaded, so they share no files either: fewer are quicker
      ...alone.map((file) => build({ ...options, entryPoints: { [file.slice(0, -'.ts'.length)]: `src/${file}` } })),
    ]);
  } catch (error) {
    throw new Error(`esbuild: ${error.message.split('\n')[0]}`, { cause: error });
  } finally {
    await stop();
  }
  rmSync(join(root, UNFINISHED), { recursive: true, force: true });
  for (const { path, contents } of results.flatMap(({ outputFiles }) => outputFiles)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  rmSync(join(root, program), { recursive: true, force: true });
  renameSync(join(root, UNFINISHED), join(root, program));
}

/** Modules that start a thread, relative to src/. */
function workers(root) {
  const directory = join(root, 'src/workers');
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith('.worker.ts'))
    .map((name) => `workers/${name}`);
}
