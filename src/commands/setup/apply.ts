/** Carries out a plan: the journal first, then one file after the other, each at once and whole. */
import { spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { DebtorrentError } from '../../core/errors.ts';
import {
  JOURNAL_FILE,
  makeStateDirectory,
  removeJournal,
  STATE_DIRECTORY,
  writeJournal,
  type Entry,
  type Journal,
  type Owner,
} from './journal.ts';
import type { Change, Plan } from './plan.ts';
import type { RootedFiles } from './rooted-files.ts';

const DIRECTORY_MODE = 0o755;

/** @throws DebtorrentError SETUP_FAILED; what has been done by then another run takes further, or back. */
export function apply(files: RootedFiles, plan: Plan, journal: Journal, owner: Owner): void {
  const paths = plan.changes.filter(({ after }) => after).map(({ path }) => path);
  const made = new Set([...journal.directories, ...missingDirectories(files, [`${STATE_DIRECTORY}/.`, ...paths])]);
  made.delete(STATE_DIRECTORY);
  const directories = [...made];
  const make = (wanted: (directory: string) => boolean): void => {
    for (const directory of directories.filter(wanted)) files.makeDirectory(directory, DIRECTORY_MODE);
  };
  make((directory) => STATE_DIRECTORY.startsWith(`${directory}/`));
  makeStateDirectory(files);
  const lock = takeLock(files);
  try {
    writeJournal(files, { entries: plan.during, directories }, owner);
    make(() => true);
    removeLeftovers(files, plan.during);
    carryOutAll(files, plan.changes);
    finish(files, plan, directories, owner);
  } finally {
    closeSync(lock);
  }
}

/** Of a run that was killed while it wrote a file. */
export function removeLeftovers(files: RootedFiles, entries: readonly Entry[]): void {
  for (const path of [JOURNAL_FILE, ...entries.map((entry) => entry.path)]) files.removeLeftover(path);
}

/** @throws DebtorrentError that says how much is done by then, if anything is. */
function carryOutAll(files: RootedFiles, changes: readonly Change[]): void {
  let done = 0;
  try {
    for (const change of changes) {
      carryOut(files, change);
      done += 1;
    }
  } catch (error) {
    if (!(error instanceof DebtorrentError) || done === 0) throw error;
    const message = `${error.message}; ${done} of ${changes.length} files are changed: run it again, or setup --undo`;
    throw new DebtorrentError(error.code, message, { cause: error });
  }
}

function carryOut(files: RootedFiles, { path, before, after, keptAs }: Change): void {
  const now = files.read(path);
  if (now ? !before?.bytes.equals(now.bytes) : before) {
    throw new DebtorrentError('SETUP_FAILED', `${files.shown(path)} has been changed meanwhile; run setup again`);
  }
  if (keptAs !== undefined) files.rename(path, keptAs);
  else if (after) files.write(path, after);
  else files.remove(path);
}

function finish(files: RootedFiles, { after }: Plan, directories: readonly string[], owner: Owner): void {
  if (after.length === 0) removeJournal(files);
  for (const directory of directories.toReversed()) files.removeDirectory(directory);
  if (after.length === 0) return;
  const kept = directories.filter((directory) => files.isDirectory(directory));
  writeJournal(files, { entries: after, directories: kept }, owner);
}

function missingDirectories(files: RootedFiles, paths: readonly string[]): string[] {
  const missing = new Set<string>();
  for (const path of paths) {
    for (let slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const directory = path.slice(0, slash);
      if (!files.isDirectory(directory)) missing.add(directory);
    }
  }
  return [...missing];
}

/**
 * One run at a time: the kernel holds the lock for this process and lets go of it however the process ends. Without
 * flock (it is on every Debian machine) there is none.
 */
function takeLock(files: RootedFiles): number {
  const fd = files.openDirectory(STATE_DIRECTORY);
  const { status } = spawnSync('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (status !== 1) return fd;
  closeSync(fd);
  throw new DebtorrentError('SETUP_FAILED', `another setup is at work on ${files.root}`);
}
