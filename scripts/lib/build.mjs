/** Keeps dist/ the way the sources are: src, test and scripts as tsc makes them, and the program that bundle.mjs makes. */
import { readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.mjs';

/** Directories that tsconfig.json includes. */
const SOURCE_DIRECTORIES = ['src', 'test', 'scripts'];
const OTHER_INPUTS = ['tsconfig.json', 'package.json', 'package-lock.json', 'scripts/lib/bundle.mjs'];
/** What bin/ runs; bundle.mjs says why it is not dist/src. */
const PROGRAM = 'dist/program';
/** What the last build was made from and made; written last, so it is there only if the build came to its end. */
const STAMP = 'dist/.stamp';
const BUILD_INFO = 'dist/.tsbuildinfo';

/** Paths of the files below `directory`, relative to `root`, in no particular order. */
function* filesBelow(root, directory) {
  let entries;
  try {
    entries = readdirSync(join(root, directory), { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(root, path);
    else yield path;
  }
}

function sourcesOf(root) {
  const files = SOURCE_DIRECTORIES.flatMap((directory) => [...filesBelow(root, directory)]);
  return files.filter((file) => file.endsWith('.ts')).sort((a, b) => (a < b ? -1 : 1));
}

/** Names, sizes and times. */
function fingerprint(root, files) {
  const line = (file) => {
    const { size, mtimeMs } = statSync(join(root, file));
    return `${file} ${size} ${mtimeMs}\n`;
  };
  return files.map(line).join('');
}

/** Of everything that the build depends on. */
function inputPrint(root, sources) {
  return fingerprint(root, [...OTHER_INPUTS, ...sources]);
}

/** Of the program, whose files have names that only the build knows. */
function programPrint(root) {
  return fingerprint(root, [...filesBelow(root, PROGRAM)].sort());
}

/** What tsc makes of the sources; declaration files give nothing. */
function outputsOf(sources) {
  const scripts = sources.filter((file) => !file.endsWith('.d.ts')).map((file) => file.replace(/\.ts$/, '.js'));
  return new Set(scripts.flatMap((file) => [`dist/${file}`, `dist/${file}.map`]));
}

function actualOutputs(root) {
  return SOURCE_DIRECTORIES.flatMap((directory) => [...filesBelow(root, `dist/${directory}`)]);
}

/** @param {string} root @returns {boolean} */
export function isBuilt(root) {
  try {
    const sources = sourcesOf(root);
    if (readFileSync(join(root, STAMP), 'utf8') !== inputPrint(root, sources) + programPrint(root)) return false;
    const outputs = outputsOf(sources);
    const actual = actualOutputs(root);
    return actual.length === outputs.size && actual.every((file) => outputs.has(file));
  } catch {
    return false;
  }
}

/** @param {string} root @param {(pid: number) => void} onStart is told the process that builds */
export async function build(root, onStart) {
  process.stderr.write('building\n');
  const sources = sourcesOf(root);
  const madeFrom = inputPrint(root, sources);
  const outputs = outputsOf(sources);
  const actual = new Set(actualOutputs(root));
  for (const file of actual) if (!outputs.has(file)) removeWithEmptyParents(root, file);
  // tsc believes its record of what it wrote; after an interrupted build, or with a file gone, the record is wrong
  const missing = [...outputs].some((file) => !actual.has(file));
  if (missing || !hasStamp(root)) rmSync(join(root, BUILD_INFO), { force: true });
  rmSync(join(root, STAMP), { force: true });
  await run([process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', root], { cwd: root, onStart });
  // it loads a package, which may not have been there when this module was loaded
  const { bundle } = await import('./bundle.mjs');
  await bundle(root, PROGRAM);
  writeFileSync(join(root, STAMP), madeFrom + programPrint(root));
}

function hasStamp(root) {
  return statSync(join(root, STAMP), { throwIfNoEntry: false }) !== undefined;
}

function removeWithEmptyParents(root, file) {
  rmSync(join(root, file), { force: true });
  for (let parent = join(root, file, '..'); parent !== join(root, 'dist'); parent = join(parent, '..')) {
    try {
      rmdirSync(parent);
    } catch {
      return; // not empty
    }
  }
}
