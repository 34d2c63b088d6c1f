/**
 * Brings one file into the cache directory as the daemon's own: linked or copied under a temporary name, hashed there,
 * renamed when it is right. What was hashed is what is kept, whatever happens to the file's old name meanwhile.
 */
import { constants, readdirSync, rmSync, type BigIntStats } from 'node:fs';
import { chmod, chown, copyFile, link, lstat, mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Hashing } from '../../actors/hashing.ts';
import type { Layout } from '../../actors/store/layout.ts';
import { fingerprintOf } from '../../actors/store/recovery.ts';
import { isBeingSeeded, seedName } from '../../actors/store/seeded.ts';
import { isNoRoom } from '../../core/errors.ts';
import type { Sha256 } from '../../core/ids.ts';
import type { KnownContent } from './known-content.ts';
import type { Room } from './room.ts';
import type { Candidate } from './walk.ts';

/** The user that the daemon runs as: the cache directory's owner. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export type Refusal =
  | 'not in the catalogue'
  | 'size differs'
  | 'hash differs'
  | 'not readable'
  | 'symlink'
  | 'changed meanwhile'
  | 'no room';

export type Outcome =
  | { readonly kind: 'taken'; readonly how: 'linked' | 'copied'; readonly sha256: Sha256; readonly fingerprint: string }
  | { readonly kind: 'there' }
  | { readonly kind: 'refused'; readonly reason: Refusal };

export interface TakeInDeps {
  readonly layout: Layout;
  readonly known: KnownContent;
  readonly hashing: Hashing;
  readonly room: Room;
  readonly owner: Owner;
  /** The user that this process runs as. */
  readonly uid: number;
}

let serial = 0;

/** Removes what processes that were killed have left; a copy may be large. */
export function removeLeftovers(layout: Layout): void {
  for (const name of readdirSync(layout.partials)) {
    if (isBeingSeeded(name) === false) rmSync(join(layout.partials, name), { force: true });
  }
}

/** @throws what the file system says of the cache directory. */
export async function takeIn(deps: TakeInDeps, { path, name, size }: Candidate): Promise<Outcome> {
  const { known, layout, room } = deps;
  const guess = known.guess(name, size);
  if (guess.kind === 'unknown') return refused('not in the catalogue');
  if (guess.kind === 'other size') return refused('size differs');
  if (guess.kind === 'one' && (await isThere(layout.file(guess.sha256), size))) return { kind: 'there' };
  if (!room.reserve(size)) return refused('no room');
  const temporary = join(layout.partials, seedName(process.pid, serial++));
  let keep = false;
  try {
    const how = await bring(deps, path, size, temporary);
    if (how === 'not readable' || how === 'changed meanwhile' || how === 'no room') return refused(how);
    const before = await lstat(temporary, { bigint: true });
    if (!before.isFile() || Number(before.size) !== size) return refused('changed meanwhile');
    const sha256 = await deps.hashing.sha256(temporary, size).catch(() => undefined);
    if (sha256 === undefined) return refused('not readable');
    if (!known.has(sha256, size)) return refused(reasonFor(guess));
    if (await isThere(layout.file(sha256), size)) return { kind: 'there' };
    if (fingerprintOf(await lstat(temporary, { bigint: true })) !== fingerprintOf(before)) {
      return refused('changed meanwhile');
    }
    const after = await moveInto(deps, temporary, layout.file(sha256));
    if (!sameBytes(before, after)) {
      await rm(layout.file(sha256), { force: true });
      return refused('changed meanwhile');
    }
    keep = true;
    return { kind: 'taken', how, sha256, fingerprint: fingerprintOf(after) };
  } catch (error) {
    // A daemon that starts and sees other processes than these (in a container) takes it for a leftover.
    const { code, path: missing } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && missing === temporary) return refused('changed meanwhile');
    throw error;
  } finally {
    if (!keep) room.release(size);
    // Also when it is kept: a rename from one link of a file to another one of the same file leaves both (rename(2)).
    await rm(temporary, { force: true });
  }
}

function reasonFor(guess: { kind: 'one' } | { kind: 'maybe'; nameKnown: boolean }): Refusal {
  if (guess.kind === 'one') return 'hash differs';
  return guess.nameKnown ? 'size differs' : 'not in the catalogue';
}

/** Links the file where the daemon can read it and nobody but its owner can write it; copies it otherwise. */
async function bring(
  deps: TakeInDeps,
  path: string,
  size: number,
  temporary: string,
): Promise<'linked' | 'copied' | 'not readable' | 'changed meanwhile' | 'no room'> {
  const source = await lstat(path).catch(() => undefined);
  if (!source?.isFile() || source.size !== size) return 'changed meanwhile';
  if (daemonReads(source, deps.owner) && (source.mode & 0o002) === 0) {
    // Another file system, too many links, a file system without links, or fs.protected_hardlinks: copied.
    const linked = await link(path, temporary).then(
      () => true,
      () => false,
    );
    if (linked)
      return flush(temporary, (file) => file.datasync()).then(
        () => 'linked',
        () => 'not readable',
      );
  }
  if (!deps.room.onDisk(size)) return 'no room';
  try {
    await copyFile(path, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isNoRoom(error)) return 'no room';
    if (code === 'EACCES' || code === 'EPERM' || code === 'EIO') return 'not readable';
    if (code === 'ENOENT') return 'changed meanwhile';
    throw error;
  }
  await chmod(temporary, 0o600);
  await give(deps, temporary);
  // The daemon answers with this as Last-Modified.
  await utimes(temporary, Date.now() / 1000, source.mtimeMs / 1000);
  await flush(temporary, (file) => file.sync());
  return 'copied';
}

/** The daemon trusts names because bytes are on the disk before them. */
async function flush(path: string, how: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, 'r');
  try {
    await how(file);
  } finally {
    await file.close();
  }
}

function daemonReads({ uid, gid, mode }: { uid: number; gid: number; mode: number }, owner: Owner): boolean {
  if (owner.uid === 0) return true;
  if (uid === owner.uid) return (mode & 0o400) !== 0;
  if (gid === owner.gid) return (mode & 0o040) !== 0;
  return (mode & 0o004) !== 0;
}

async function moveInto(deps: TakeInDeps, temporary: string, target: string): Promise<BigIntStats> {
  const made = await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  if (made !== undefined) await give(deps, made);
  await rename(temporary, target);
  return stat(target, { bigint: true });
}

/** What is made here belongs to the daemon's user, also when the administrator makes it. */
async function give({ owner, uid }: TakeInDeps, path: string): Promise<void> {
  if (uid === 0 && owner.uid !== 0) await chown(path, owner.uid, owner.gid);
}

async function isThere(path: string, size: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && found.size === size;
}

/** The rename changes the change time, and nothing else may have. */
function sameBytes(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

function refused(reason: Refusal): Outcome {
  return { kind: 'refused', reason };
}
