/** Keeps node_modules the way package-lock.json says. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.mjs';

/** A copy of the lock file that node_modules was installed from; written last, so it is there only if all went well. */
const STAMP = 'node_modules/.debtorrent-installed.json';
/** npm's own record of what is installed, written at the end of an installation. */
const NPM_RECORD = 'node_modules/.package-lock.json';

/** @param {string} root @returns {boolean} */
export function isInstalled(root) {
  const stamp = readIfThere(join(root, STAMP));
  return stamp !== undefined && stamp.equals(readFileSync(join(root, 'package-lock.json')));
}

/** @param {string} root @param {(pid: number) => void} onStart is told the process that installs */
export async function install(root, onStart) {
  if (!npmInstalledIt(root)) {
    // without these an installation that is interrupted looks like none, however far it came
    rmSync(join(root, STAMP), { force: true });
    rmSync(join(root, NPM_RECORD), { force: true });
    process.stderr.write('installing from package-lock.json\n');
    await run([...npm(), 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, onStart });
  }
  writeFileSync(join(root, STAMP), readFileSync(join(root, 'package-lock.json')));
}

/** True when somebody ran npm by hand since the lock file changed: each locked package is there in its version. */
function npmInstalledIt(root) {
  const record = readIfThere(join(root, NPM_RECORD));
  if (record === undefined) return false;
  try {
    const installed = JSON.parse(record.toString()).packages;
    const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    return Object.entries(locked).every(([path, entry]) => {
      if (path === '') return true;
      const there = installed[path];
      if (there === undefined) return entry.optional === true;
      return there.version === entry.version && there.integrity === entry.integrity && existsSync(join(root, path));
    });
  } catch {
    return false;
  }
}

/** The npm that runs this script, else the one on the PATH. */
function npm() {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('npm-cli.js') && existsSync(cli) ? [process.execPath, cli] : ['npm'];
}

function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
