/**
 * The catalogue on disk: segment files, named by their content, and one state file that says which of them count.
 * Each is written beside its place, flushed and renamed, and the state comes after what it names: killed at any
 * moment, what is there can be loaded. What is damaged is left out, with a warning; it can be made again.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveState, IndexState, SegmentFile } from '../../core/archive/archive-state.ts';
import { segmentsOf } from '../../core/archive/archive-state.ts';
import { Segment } from '../../core/archive/segment.ts';
import { storeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logging.ts';
import { replaceFile, UNFINISHED } from '../replace-file.ts';
import type { RememberedUse } from './remembered-uses.ts';

export interface PersistedArchive {
  readonly state: ArchiveState;
  /** Stamp of the keyrings that it was verified with. */
  readonly trust: string;
}

export interface PersistedState {
  readonly archives: readonly PersistedArchive[];
  /** Indexes that were used of archives that are not known now. */
  readonly uses: readonly RememberedUse[];
}

export interface LoadedState extends PersistedState {
  /** Archives whose Releases are missing or damaged. */
  readonly lost: readonly ArchiveState[];
  /** All that the archives name. */
  readonly segments: ReadonlyMap<SegmentFile, Segment>;
}

export interface SavedCatalogue {
  readonly archives: readonly ArchiveState[];
  /** All that the archives name. */
  readonly segments: ReadonlyMap<SegmentFile, Segment>;
}

/** Grows when the meaning of the state or of segments changes: what an earlier version wrote is then made again. */
const FORMAT = 'debtorrent catalogue 1';
const STATE = 'state.json';
const SEGMENT = /^[0-9a-f]{40}\.seg$/;
/** Besides files that were to be replaced, which earlier versions wrote as `.new`. */
const LEFT_BEHIND = /^(?:verify|unpack)-|\.new$/;
const MAX_STATE_BYTES = 64 * 1024 * 1024;
const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024;

export class CatalogueStore {
  readonly dir: string;
  readonly #log: Logger;
  readonly #makeRoom: (bytes: number) => Promise<unknown>;
  /** Written, but in no settled state yet. */
  readonly #fresh = new Set<SegmentFile>();
  /** Being written: an archive may come from several mirrors at a time, and each has the same segments. */
  readonly #writing = new Map<SegmentFile, Promise<void>>();
  /** What the last settled state names. */
  #settled = new Set<SegmentFile>();

  /** `makeRoom` is asked when the disk is full. */
  constructor(dir: string, log: Logger, makeRoom: (bytes: number) => Promise<unknown> = () => Promise.resolve()) {
    this.dir = dir;
    this.#log = log;
    this.#makeRoom = makeRoom;
  }

  /** Throws only when the directory cannot be made. */
  async open(): Promise<LoadedState> {
    await mkdir(this.dir, { recursive: true });
    const saved = await this.#readState();
    const segments = await this.#readSegments(allSegments(saved.archives.map((a) => a.state)));
    const archives = saved.archives
      .filter(({ state }) => segments.has(state.segment))
      .map(({ state, trust }) => {
        const indexes = state.indexes.map((index) => checked(index, segments));
        return { state: { ...state, indexes }, trust };
      });
    this.#settled = allSegments(archives.map((a) => a.state));
    await this.#sweep();
    const lost = saved.archives.map((a) => a.state).filter((state) => !segments.has(state.segment));
    return { archives, lost, segments, uses: saved.uses };
  }

  /**
   * The saved catalogue for another process, beside the one that keeps it: nothing is changed. Undefined when a part
   * of it is not there, as while the keeper replaces it: to be read again.
   */
  async look(): Promise<SavedCatalogue | undefined> {
    const archives = (await this.#readState()).archives.map((a) => a.state);
    const names = allSegments(archives);
    const segments = await this.#readSegments(names);
    return segments.size === names.size ? { archives, segments } : undefined;
  }

  /** The file's name, once it is safely on disk. */
  async writeSegment({ memory }: Segment): Promise<SegmentFile> {
    const segment = Buffer.from(memory);
    const name = `${createHash('sha256').update(segment).digest('hex').slice(0, 40)}.seg` as SegmentFile;
    this.#fresh.add(name);
    await this.#ensure(name, segment);
    return name;
  }

  /** With the segments that it names, should somebody have taken them away. What was saved before stays when it fails. */
  async save(state: PersistedState, segments: ReadonlyMap<SegmentFile, SharedArrayBuffer>): Promise<void> {
    for (const [name, memory] of segments) await this.#ensure(name, Buffer.from(memory));
    const body = JSON.stringify(state);
    await this.#write(STATE, Buffer.from(`${JSON.stringify([FORMAT, checksum(body)])}\n${body}`));
  }

  /** The state is saved and in force everywhere: what only earlier ones named is deleted. */
  async settle(archives: readonly ArchiveState[]): Promise<void> {
    const former = this.#settled;
    this.#settled = allSegments(archives);
    for (const name of this.#settled) this.#fresh.delete(name);
    for (const name of former) {
      if (this.#settled.has(name) || this.#fresh.has(name)) continue;
      await rm(join(this.dir, name), { force: true }).catch(() => undefined);
    }
  }

  /** Whether what was settled last is there still: somebody may have emptied the cache by hand. */
  async isThere(): Promise<boolean> {
    const names = new Set(await readdir(this.dir).catch(() => []));
    return [STATE, ...this.#settled].every((name) => names.has(name));
  }

  /** Deletes what no state names and what a killed process left unfinished. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.dir)) {
      const isOurs = SEGMENT.test(name) || name.endsWith(UNFINISHED) || LEFT_BEHIND.test(name);
      if (!isOurs || this.#settled.has(name as SegmentFile)) continue;
      await rm(join(this.dir, name), { force: true }).catch(() => undefined);
    }
  }

  async #readState(): Promise<PersistedState> {
    const nothing: PersistedState = { archives: [], uses: [] };
    const path = join(this.dir, STATE);
    const found = await stat(path).catch(() => undefined);
    if (!found) return nothing;
    const text = found.size <= MAX_STATE_BYTES ? await readFile(path, 'utf8').catch(() => '') : '';
    const feed = text.indexOf('\n');
    const body = text.slice(feed + 1);
    if (feed > 0 && text.slice(0, feed) === JSON.stringify([FORMAT, checksum(body)])) {
      return JSON.parse(body) as PersistedState;
    }
    this.#log.warn({ path }, 'the saved catalogue is damaged or of another version, and is made again');
    return nothing;
  }

  /** Those that are there and whole. */
  async #readSegments(names: Iterable<SegmentFile>): Promise<Map<SegmentFile, Segment>> {
    const segments = new Map<SegmentFile, Segment>();
    for (const name of names) {
      const path = join(this.dir, name);
      const memory = SEGMENT.test(name) ? await readShared(path).catch(() => undefined) : undefined;
      const segment = memory && Segment.open(memory);
      if (segment) segments.set(name, segment);
      else this.#log.warn({ path }, 'a part of the saved catalogue is missing or damaged, and is made again');
    }
    return segments;
  }

  #ensure(name: SegmentFile, data: Buffer): Promise<void> {
    const under = this.#writing.get(name);
    if (under !== undefined) return under;
    const writing = this.#writeUnlessThere(name, data).finally(() => this.#writing.delete(name));
    this.#writing.set(name, writing);
    return writing;
  }

  async #writeUnlessThere(name: SegmentFile, data: Buffer): Promise<void> {
    const there = await stat(join(this.dir, name)).catch(() => undefined);
    if (there?.size === data.length) return;
    try {
      await this.#write(name, data);
    } catch (error) {
      this.#fresh.delete(name);
      throw storeError(error, 'the catalogue cannot be written: ');
    }
  }

  async #write(name: string, data: Buffer): Promise<void> {
    const write = () => replaceFile(join(this.dir, name), data, { flushed: true });
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    try {
      await write();
    } catch (error) {
      if (storeError(error).code !== 'STORE_FULL') throw error;
      await this.#makeRoom(data.length);
      await write();
    }
  }
}

/** An index whose segment is damaged has to be loaded again. */
function checked(index: IndexState, segments: ReadonlyMap<SegmentFile, Segment>): IndexState {
  if (!index.segment || segments.has(index.segment.file)) return index;
  const { segment: _, ...rest } = index;
  return { ...rest, status: 'loading' };
}

/** The whole file; undefined when it is larger than any segment or changes meanwhile. */
async function readShared(path: string): Promise<SharedArrayBuffer | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > MAX_SEGMENT_BYTES) return undefined;
    const memory = new SharedArrayBuffer(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await file.read(Buffer.from(memory), at, size - at, at);
      if (bytesRead === 0) return undefined;
      at += bytesRead;
    }
    return memory;
  } finally {
    await file.close();
  }
}

function allSegments(archives: readonly ArchiveState[]): Set<SegmentFile> {
  return new Set(archives.flatMap(segmentsOf));
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}
