/**
 * Files that were put into the cache beside the daemon: whoever does that (`debtorrent seed`) hashes them in their
 * place and leaves a note of their fingerprints, and the store counts them and trusts the note. It may: the cache
 * directory belongs to the daemon's user and is closed to others, so who can write a note can write anything here.
 */
import { chownSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import * as v from 'valibot';

import type { DatedClock } from '../../core/clock.ts';
import { parseSha256, type Sha256 } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { Layout } from './layout.ts';
import type { LeastRecentlyUsed } from './lru.ts';
import { fingerprintOf } from './recovery.ts';

/** Files of one note at most. */
export const NOTE_FILES = 256;
/** Notes that are read at once: about 10 ms of work. */
const NOTES_AT_ONCE = 2;
/** Milliseconds between two such readings. */
const PAUSE_MS = 20;
const MAX_NOTE_BYTES = 256 * 1024;

/** In partial/, what process `pid` is about to put into the cache. */
export function seedName(pid: number, serial: number): string {
  return `seed-${pid}-${serial}`;
}

/**
 * Whether the process of a name of that form works on it still: then it is no leftover, also when the daemon starts
 * meanwhile. Undefined for other names.
 */
export function isBeingSeeded(name: string): boolean | undefined {
  const [, pid] = /^seed-(\d{1,9})-\d+$/.exec(name) ?? [];
  return pid === undefined ? undefined : isRunning(Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const noteSchema = v.pipe(
  v.record(v.string(), v.string()),
  v.check((note) => Object.keys(note).length <= NOTE_FILES),
);

/** Pairs of SHA-256 and fingerprint. Written whole or not at all; throws what the file system says. */
export function writeNote(
  layout: Layout,
  name: string,
  files: ReadonlyMap<Sha256, string>,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): void {
  mkdirSync(layout.seeded, { recursive: true, mode: 0o700 });
  const path = join(layout.seeded, `${name}.json`);
  writeFileSync(`${path}.tmp`, JSON.stringify(Object.fromEntries(files)), { mode: 0o600 });
  if (owner !== undefined) {
    for (const made of [layout.seeded, `${path}.tmp`]) chownSync(made, owner.uid, owner.gid);
  }
  renameSync(`${path}.tmp`, path);
}

export interface SeededDeps {
  readonly layout: Layout;
  readonly files: LeastRecentlyUsed;
  readonly clock: DatedClock;
  readonly log: Logger;
  /** Files have been added. */
  readonly counted: () => void;
}

/** The store's side. Look often: where there are no notes it costs one system call. */
export class Seeded {
  readonly #deps: SeededDeps;
  #rest: { clear(): void } | undefined;
  /** Notes that cannot be removed would be taken again and again. */
  #broken = false;

  constructor(deps: SeededDeps) {
    this.#deps = deps;
  }

  /** Counts some of what was noted, as used now; the rest soon. */
  take(): void {
    const { layout, files, clock, log, counted } = this.#deps;
    if (this.#broken) return;
    const notes = listNotes(layout);
    if (notes.length === 0) return;
    const before = files.files;
    try {
      for (const name of notes.slice(0, NOTES_AT_ONCE)) this.#takeNote(join(layout.seeded, name));
    } catch (error) {
      this.#broken = true;
      log.warn({ err: error }, 'notes of seeded files cannot be taken; the next start counts the files');
    }
    log.debug({ files: files.files - before }, 'seeded files counted');
    counted();
    if (notes.length <= NOTES_AT_ONCE || this.#rest !== undefined) return;
    this.#rest = clock.setTimeout(() => {
      this.#rest = undefined;
      this.take();
    }, PAUSE_MS);
  }

  stop(): void {
    this.#rest?.clear();
  }

  #takeNote(path: string): void {
    const { layout, files, clock } = this.#deps;
    const date = clock.date();
    for (const [sha256, fingerprint] of readNote(path)) {
      const found = statSync(layout.file(sha256), { bigint: true, throwIfNoEntry: false });
      if (found === undefined || !found.isFile()) continue;
      const actual = fingerprintOf(found);
      const verified = actual === fingerprint ? actual : undefined;
      // What is known of a file that took its place is not worse.
      if (verified === undefined && files.get(sha256) !== undefined) continue;
      files.put(sha256, { size: Number(found.size), usedAt: date, fingerprint: verified, checkedAt: date });
    }
    rmSync(path, { force: true });
  }
}

function listNotes(layout: Layout): string[] {
  try {
    return readdirSync(layout.seeded).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

/** Nothing for a note that cannot be understood: its files are then hashed when they are asked for. */
function readNote(path: string): [Sha256, string][] {
  try {
    if (statSync(path).size > MAX_NOTE_BYTES) return [];
    return Object.entries(v.parse(noteSchema, JSON.parse(readFileSync(path, 'utf8')))).flatMap(
      ([name, fingerprint]) => {
        const sha256 = parseSha256(name);
        return sha256 === undefined ? [] : [[sha256, fingerprint] as [Sha256, string]];
      },
    );
  } catch {
    return [];
  }
}
