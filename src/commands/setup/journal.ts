/**
 * What setup changed, written down before it changes anything: from it alone every file can be brought back, or
 * brought on, whatever moment a run was killed at.
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { DebtorrentError } from '../../core/errors.ts';
import type { FileState, RootedFiles } from './rooted-files.ts';
import type { Pair } from './rewrite.ts';

export type Role = 'sources' | 'method' | 'configuration' | 'helper';

export interface Entry {
  /** As APT names it, seen from the root. */
  readonly path: string;
  readonly role: Role;
  /** What was there before; undefined when nothing was. */
  readonly original: FileState | undefined;
  /** SHA-256 of what setup wrote there, the last of it at the end: more than one after a run that did not finish. */
  readonly written: readonly string[];
  /** Addresses as they were and as setup wrote them. */
  readonly pairs: readonly Pair[];
}

export interface Journal {
  readonly entries: readonly Entry[];
  /** Made by setup, in this order. */
  readonly directories: readonly string[];
}

export const EMPTY_JOURNAL: Journal = { entries: [], directories: [] };

/** Root's alone: whoever writes here says what an undo writes into other files, so it is not the daemon's directory. */
export const STATE_DIRECTORY = '/var/lib/debtorrent-setup';
export const JOURNAL_FILE = `${STATE_DIRECTORY}/journal.json`;
const STATE_DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const MAX_BYTES = 64 << 20;

const absolutePath = v.pipe(v.string(), v.regex(/^\/[^\0]*$/), v.maxLength(4096));
const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const State = v.object({
  content: v.pipe(v.string(), v.base64()),
  mode: v.pipe(count, v.maxValue(0o777)),
  uid: count,
  gid: count,
  mtime: v.optional(v.pipe(v.string(), v.regex(/^-?\d{1,19}$/))),
});
const StoredJournal = v.object({
  version: v.literal(1),
  entries: v.array(
    v.object({
      path: absolutePath,
      role: v.picklist(['sources', 'method', 'configuration', 'helper']),
      original: v.nullable(State),
      written: v.array(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
      pairs: v.array(v.tuple([v.string(), v.string()])),
    }),
  ),
  directories: v.array(absolutePath),
});

type StoredState = v.InferOutput<typeof State>;

/** @throws DebtorrentError SETUP_FAILED for one that is damaged, or that somebody else could have written. */
export function readJournal(files: RootedFiles, euid: number): Journal | undefined {
  const file = files.read(JOURNAL_FILE, MAX_BYTES);
  if (!file) return undefined;
  const directory = files.directoryState(STATE_DIRECTORY);
  const strangers = [file, directory].some((state) => !state || !trusted(state, euid));
  if (strangers) throw damaged(files, 'others than root may have written it');
  try {
    const { entries, directories } = v.parse(StoredJournal, JSON.parse(file.bytes.toString('utf8')));
    return { entries: entries.map((entry) => ({ ...entry, original: fromStored(entry.original) })), directories };
  } catch {
    throw damaged(files, 'it is damaged');
  }
}

function trusted({ uid, mode }: { uid: number; mode: number }, euid: number): boolean {
  return (uid === 0 || uid === euid) && (mode & 0o022) === 0;
}

function damaged(files: RootedFiles, why: string): DebtorrentError {
  return new DebtorrentError('SETUP_FAILED', `${files.shown(JOURNAL_FILE)} says what setup changed, but ${why}`);
}

/** On the disk when this returns. */
export function writeJournal(files: RootedFiles, { entries, directories }: Journal, owner: Owner): void {
  const stored: v.InferOutput<typeof StoredJournal> = {
    version: 1,
    entries: entries.map(({ path, role, original, written, pairs }) => ({
      path,
      role,
      original: toStored(original),
      written: [...written],
      pairs: pairs.map(([was, is]): [string, string] => [was, is]),
    })),
    directories: [...directories],
  };
  const bytes = Buffer.from(`${JSON.stringify(stored)}\n`);
  if (bytes.length > MAX_BYTES) throw new DebtorrentError('SETUP_FAILED', 'the files of sources are too large to note');
  files.write(JOURNAL_FILE, { bytes, mode: FILE_MODE, ...owner });
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export function makeStateDirectory(files: RootedFiles): void {
  files.makeDirectory(STATE_DIRECTORY, STATE_DIRECTORY_MODE);
}

/** A run that ended before it noted anything leaves an empty directory. */
export function leftSomething(files: RootedFiles): boolean {
  return files.isDirectory(STATE_DIRECTORY);
}

export function removeJournal(files: RootedFiles): void {
  files.remove(JOURNAL_FILE);
  files.removeLeftover(JOURNAL_FILE);
  files.removeDirectory(STATE_DIRECTORY);
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function toStored(state: FileState | undefined): StoredState | null {
  if (!state) return null;
  const { bytes, mode, uid, gid, mtime } = state;
  const rest = { content: bytes.toString('base64'), mode: mode & 0o777, uid, gid };
  return mtime === undefined ? rest : { ...rest, mtime: String(mtime) };
}

function fromStored(stored: StoredState | null): FileState | undefined {
  if (!stored) return undefined;
  const { content, mode, uid, gid, mtime } = stored;
  const rest = { bytes: Buffer.from(content, 'base64'), mode, uid, gid };
  return mtime === undefined ? rest : { ...rest, mtime: BigInt(mtime) };
}
