/**
 * Keeps finished files by their SHA-256 within a quota, and partial files until they are finished. A file gets its
 * final name only after its hash was checked and its bytes were flushed, so a name can be trusted after a crash.
 *
 * Calls that only touch directory entries and inodes are made in this thread: some 10 microseconds each, where handing
 * them to the I/O threads measured 200 with both processors busy, a dozen times for each file. Flushes, which wait for
 * the disk, are handed over.
 */
import { closeSync, futimesSync, mkdirSync, openSync, renameSync, statSync, type BigIntStats } from 'node:fs';
import { rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';

import { isRecent, type DatedClock } from '../../core/clock.ts';
import { DebtorrentError, storeError } from '../../core/errors.ts';
import { parseSha256, type Sha256 } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { Behaviour } from '../../kernel/protocol.ts';
import { settledWithin } from '../../kernel/settled-within.ts';
import { closeToOthers, isReadOnly } from './closed.ts';
import { FlushQueue } from './flush-queue.ts';
import { InOrder } from './in-order.ts';
import { layoutOf, makeDirectories, makeFanOut, requireMoves } from './layout.ts';
import { LeastRecentlyUsed } from './lru.ts';
import { Names } from './names.ts';
import { Partials } from './partials.ts';
import type { StoredFile, StoreProtocol } from './protocol.ts';
import { fingerprintOf, recover, saveVerified } from './recovery.ts';
import { Room } from './room.ts';
import { Seeded } from './seeded.ts';

export interface StoreDeps {
  readonly root: string;
  /** Bytes; 0 is no limit. */
  readonly limitBytes: number;
  readonly clock: DatedClock;
  readonly log: Logger;
}

export interface Store {
  readonly behaviour: Behaviour<StoreProtocol>;
  /** Saves what makes the next start quick. */
  stop(): Promise<void>;
}

/** What was checked longer ago is checked again when it is used, in milliseconds. */
const CHECKED_MS = 24 * 3_600_000;
/** The time of last use is written to the file at most this often. */
const TOUCH_MS = 3_600_000;
const SAVE_MS = 60_000;
/** Whoever asks what there is waits so long for the directory to be read; a large one takes longer. */
const RECOVERY_WAIT_MS = 500;

/** Opens a finished file, which gets the mirror's date as its time of change. `date` is today's, in milliseconds. */
function openDated(path: string, date: number, lastModified: string | undefined): number {
  const fd = openSync(path, 'r+');
  try {
    const modified = lastModified === undefined ? Number.NaN : Date.parse(lastModified);
    futimesSync(fd, date / 1000, (Number.isFinite(modified) && modified >= 0 ? modified : date) / 1000);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** HTTP-date. */
function modified(found: BigIntStats): string {
  return new Date(Number(found.mtimeMs)).toUTCString();
}

/** Undefined where there is none, or the disk does not say. */
function lookAt(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function moveTo(to: string, from: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    renameSync(from, to);
  }
}

/** Opens the cache directory, creating it (mode 0700) when needed; STORE_IO when that cannot be done. */
export async function openStore(deps: StoreDeps): Promise<Store> {
  const { clock, log, limitBytes } = deps;
  const layout = layoutOf(deps.root);
  const files = new LeastRecentlyUsed();
  const inOrder = new InOrder();
  const names = new Names(layout, inOrder);
  const partials = new Partials({ layout, log, inOrder });
  const flushes = new FlushQueue(clock);
  let dirty = false;
  let recovered = false;

  try {
    await makeDirectories(layout);
    await requireMoves(layout);
    await closeToOthers(layout, log);
  } catch (error) {
    throw new DebtorrentError('STORE_IO', `cache-dir ${deps.root}: ${(error as Error).message}`);
  }

  const counted = () => {
    dirty = true;
    void room.keep();
  };
  const evicted = () => {
    dirty = true;
  };
  const room = new Room({ layout, files, partials, inOrder, clock, log, limitBytes, evicted });
  const seeded = new Seeded({ layout, files, clock, log, counted });
  makeFanOut(layout.files);
  const recovery = recover(layout, files, log).then(
    () => {
      recovered = true;
      seeded.take();
      void room.keep();
      quietly(names.prune(clock.date()), 'old names were not removed');
    },
    (error: unknown) => log.warn({ err: error }, 'reading the cache directory failed'),
  );
  await Promise.all([partials.recover(), names.recover()]).catch((error: unknown) => {
    if (!isReadOnly(error)) throw error;
  });

  const save = async () => {
    if (!dirty || !recovered) return;
    dirty = false;
    await saveVerified(layout, files).catch((error: unknown) => {
      dirty = true;
      log.warn({ err: error }, 'saving the index failed');
    });
  };
  let timer = clock.setTimeout(tick, SAVE_MS);
  function tick() {
    // Somebody may have emptied the cache by hand.
    quietly(makeDirectories(layout), 'the cache directory cannot be made');
    seeded.take();
    // What was in use while the cache was over its quota.
    void room.keep();
    quietly(names.prune(clock.date()), 'old names were not removed');
    void save();
    timer = clock.setTimeout(tick, SAVE_MS);
  }

  function quietly(work: Promise<unknown>, what: string): void {
    work.catch((error: unknown) => log.warn({ err: error }, what));
  }

  async function find(sha256: Sha256): Promise<StoredFile | undefined> {
    const path = layout.file(sha256);
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (found === undefined || !found.isFile()) {
      files.delete(sha256);
      return undefined;
    }
    const date = clock.date();
    const size = Number(found.size);
    if (files.get(sha256) === undefined) seeded.take();
    const known = files.use(sha256, date);
    let fingerprint = fingerprintOf(found);
    const verified = known !== undefined && known.fingerprint === fingerprint;
    if (date - Number(found.atimeMs) > TOUCH_MS) {
      const touched = utimes(path, date / 1000, Number(found.mtimeMs) / 1000).then(() => stat(path, { bigint: true }));
      // Where it can only be read it stays as it is.
      fingerprint = await touched.then(fingerprintOf, () => fingerprint);
      dirty = true;
    }
    // A file whose bytes may have changed keeps no fingerprint until somebody has hashed it.
    const checkedAt = known?.checkedAt ?? 0;
    files.put(sha256, { size, usedAt: date, fingerprint: verified ? fingerprint : undefined, checkedAt });
    const checkAgain = !isRecent(checkedAt, date, CHECKED_MS);
    return { sha256, path, size, lastModified: modified(found), verified, checkAgain, fingerprint };
  }

  /** Its hash was checked. */
  function remember(sha256: Sha256, found: BigIntStats): StoredFile {
    const size = Number(found.size);
    const fingerprint = fingerprintOf(found);
    const date = clock.date();
    files.put(sha256, { size, usedAt: date, fingerprint, checkedAt: date });
    dirty = true;
    const [path, lastModified] = [layout.file(sha256), modified(found)];
    return { sha256, path, size, lastModified, verified: true, checkAgain: false, fingerprint };
  }

  async function commit(
    from: string,
    sha256: Sha256,
    size: number,
    lastModified: string | undefined,
    urgent: boolean,
  ): Promise<StoredFile> {
    const to = layout.file(sha256);
    // Not before its turn: until then clients wait for other files.
    await flushes.flush(() => openDated(from, clock.date(), lastModified), size, urgent);
    return inOrder.run(to, async () => {
      moveTo(to, from);
      return remember(sha256, statSync(to, { bigint: true }));
    });
  }

  const io = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw storeError(error);
    }
  };

  const behaviour: Behaviour<StoreProtocol> = {
    find: (sha256) => io(find(sha256)),
    openPartial: (key, size, resume) => {
      flushes.rush();
      return io(partials.open(key, size ?? 0, resume, (granted) => room.make(size ?? 0, granted)));
    },
    growPartial: (key, size) =>
      io(partials.grow(key, size, (granted) => room.make(size, granted)).then(() => true as const)),
    makeRoom: (size) => io(room.makeOnDisk(size).then(() => true as const)),
    checkpoint: (key, ranges) => quietly(partials.checkpoint(key, ranges), 'a partial file was not noted'),
    commit: (key, sha256, size, lastModified) =>
      io(
        (async () => {
          // Without a hash in its key it is found by a name, which is written when this is done.
          const urgent = parseSha256(key) === undefined;
          const file = await partials.take(key, (path) => commit(path, sha256, size, lastModified, urgent));
          await room.keep();
          return file;
        })(),
      ),
    discardPartial: (key) => quietly(partials.discard(key), 'a partial file was not removed'),
    parkPartial: (key, ranges) => quietly(partials.park(key, ranges), 'a partial file was not noted'),
    right: ({ sha256, path, fingerprint }) => {
      const found = lookAt(path);
      // Evicted, written to since, or on a disk that fails now.
      if (found !== undefined && fingerprintOf(found) === fingerprint) remember(sha256, found);
    },
    doubt: (sha256) => {
      const entry = files.get(sha256);
      if (entry === undefined) return;
      entry.fingerprint = undefined;
      dirty = true;
    },
    wrong: async (sha256) => {
      files.delete(sha256);
      dirty = true;
      const path = layout.file(sha256);
      await inOrder.run(path, () => rm(path, { force: true })).catch(() => undefined);
    },
    name: (url) => names.get(url),
    putName: (record) => quietly(names.put(record), 'a name was not noted'),
    dropName: (url) => quietly(names.drop(url), 'a name was not removed'),
    stats: async () => {
      // A daemon that has just started has the files of the last one.
      if (!recovered) await settledWithin(recovery, RECOVERY_WAIT_MS, clock);
      seeded.take();
      return { files: files.files + flushes.files, bytes: files.bytes + flushes.bytes, limitBytes };
    },
  };

  return {
    behaviour,
    async stop() {
      flushes.close();
      room.stop();
      timer.clear();
      seeded.stop();
      await recovery;
      await inOrder.idle();
      await save();
    },
  };
}
