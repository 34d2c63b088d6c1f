/** Keeps the indexes that clients use loaded: knows which they are, fetches them, makes their segments. */
import type { ArchiveKey, IndexState } from '../../core/archive/archive-state.ts';
import { isMaybeIndex } from '../../core/archive/location.ts';
import type { Clock } from '../../core/clock.ts';
import { DebtorrentError, type ErrorCode } from '../../core/errors.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { ArchiveTable, Known } from './archive-table.ts';
import type { CatalogueStore } from './catalogue-store.ts';
import type { FetchedFile, FetcherProtocol, RoomProtocol } from './collaborators.ts';
import { contentOf, formsToTry, planFor, type IndexForm } from './index-forms.ts';
import { loadIndex, type LoadedIndex } from './index-loader.ts';
import { LoadQueue, type Turnstile } from './load-queue.ts';
import type { Publisher } from './publisher.ts';
import type { IndexUse, RememberedUses } from './remembered-uses.ts';

export interface IndexKeeperDeps {
  readonly table: ArchiveTable;
  readonly store: CatalogueStore;
  readonly uses: RememberedUses;
  readonly publisher: Publisher;
  readonly fetcher: ActorRef<FetcherProtocol>;
  readonly room: ActorRef<RoomProtocol>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends what is being loaded. */
  readonly signal: AbortSignal;
}

/** Milliseconds. */
const FETCH_MS = 600_000;
const LOAD_MS = 300_000;
/** Many files may have to go. */
const ROOM_MS = 60_000;
/** So many times the size of a compressed index is room enough for it unpacked, and for its segment after that. */
const UNPACKED = 8;

/** Another form of the index may do where one fails like this. */
const TRY_NEXT: ReadonlySet<ErrorCode> = new Set(['DECOMPRESSOR_MISSING', 'NOT_FOUND', 'GONE', 'FORBIDDEN']);

export class IndexKeeper {
  readonly #deps: IndexKeeperDeps;
  readonly #queue: LoadQueue;

  constructor(deps: IndexKeeperDeps) {
    this.#deps = deps;
    this.#queue = new LoadQueue({
      clock: deps.clock,
      load: (id, parsing) => this.#load(id, parsing),
      failed: (id, error, again) => this.#failed(id, error, again),
    });
  }

  /** Somebody asked for this URL. */
  used(url: MirrorUrl): void {
    const { table, uses } = this.#deps;
    const found = table.find(url);
    if (found) this.use(found.known.state.key, found.use);
    else if (isMaybeIndex(url) && !table.covers(url)) uses.rememberUrl(url);
  }

  use(key: ArchiveKey, use: IndexUse): void {
    const { table, publisher } = this.#deps;
    const before = table.get(key)?.state;
    const index = table.use(key, use);
    if (index && index.status !== 'loaded') this.#queue.add(idOf(key, index.name));
    if (table.get(key)?.state !== before) void publisher.publish();
  }

  /** Loads whatever of the archive is in use and not loaded. */
  ensure(key: ArchiveKey): void {
    for (const { name, status } of this.#deps.table.get(key)?.state.indexes ?? []) {
      if (status !== 'loaded') this.#queue.add(idOf(key, name));
    }
  }

  stop(): void {
    this.#queue.stop();
  }

  async #load(id: string, parsing: Turnstile): Promise<void> {
    const { table, store, publisher, clock, log } = this.#deps;
    const { key, name } = splitId(id);
    const known = table.get(key);
    const index = known?.state.indexes.find((i) => i.name === name);
    const content = known && contentOf(known.release, name);
    if (!known || !index || !content || index.status === 'loaded') return;
    if (index.status === 'failed') this.#update(key, name, (i) => withStatus(i, 'loading'));
    const started = clock.now();
    const { segment, files, bytes, skipped } = await this.#fetchAndParse(known, index, content.plainSize, parsing);
    const file = await store.writeSegment(segment);
    const now = table.get(key);
    // a Release adopted meanwhile has put this index into the queue again if its content is another there
    const isCurrent = now && contentOf(now.release, name)?.id === content.id;
    const { date } = isCurrent ? now.state : known.state;
    const loaded = { file, content: content.id, date, files, bytes, skipped };
    const change = (i: IndexState) => ({ ...withStatus(i, isCurrent ? 'loaded' : 'loading'), segment: loaded });
    table.update(key, name, change, segment);
    await publisher.publish();
    // killed from here on, the daemon comes up with it
    await publisher.saved();
    const ms = Math.round(clock.now() - started);
    log.info({ archive: key, index: name, files, bytes, skipped, ms }, 'index loaded');
  }

  async #fetchAndParse(
    known: Known,
    index: IndexState,
    plainSize: number | undefined,
    parsing: Turnstile,
  ): Promise<LoadedIndex> {
    let failure = new DebtorrentError('INDEX_MALFORMED', 'the Release lists no form of the index that can be read');
    for (const form of formsToTry(known.release, index)) {
      try {
        const plan = planFor(known.state, index, form);
        const fetched = await this.#deps.fetcher.within(FETCH_MS).ask('fetch', plan);
        return await parsing.through(() => this.#parse(fetched, index, form, plainSize));
      } catch (error) {
        if (!(error instanceof DebtorrentError) || !TRY_NEXT.has(error.code)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async #parse(
    { path, finalPath = path }: FetchedFile,
    { kind }: IndexState,
    { compression, sha256, size }: IndexForm,
    plainSize: number | undefined,
  ): Promise<LoadedIndex> {
    const { signal, fetcher, room, store } = this.#deps;
    const file = {
      kind,
      compression,
      scratchDir: store.dir,
      sha256,
      size,
      ...(plainSize !== undefined && { plainSize }),
    };
    // As good as it gets: how much is needed is known when it is written.
    await room
      .within(ROOM_MS)
      .ask('makeRoom', plainSize ?? size * UNPACKED)
      .catch(() => undefined);
    const limited = AbortSignal.any([signal, AbortSignal.timeout(LOAD_MS)]);
    try {
      return await loadIndex({ ...file, path }, limited).catch((error: unknown) => {
        // it was moved to its place between being reported and being read
        if (!(error instanceof DebtorrentError && error.code === 'STORE_IO') || path === finalPath) throw error;
        return loadIndex({ ...file, path: finalPath }, limited);
      });
    } catch (error) {
      if (error instanceof DebtorrentError && error.code === 'HASH_MISMATCH') fetcher.tell('suspect', sha256);
      throw error;
    }
  }

  #failed(id: string, error: DebtorrentError, again: boolean): void {
    const { key, name } = splitId(id);
    this.#deps.log.warn(
      { archive: key, index: name, code: error.code, reason: error.message, again },
      'index not loaded',
    );
    this.#update(key, name, (i) => ({ ...withStatus(i, 'failed'), error: `${error.code}: ${error.message}` }));
  }

  #update(key: ArchiveKey, name: string, change: (index: IndexState) => IndexState): void {
    this.#deps.table.update(key, name, change);
    void this.#deps.publisher.publish();
  }
}

function withStatus({ error: _, ...index }: IndexState, status: IndexState['status']): IndexState {
  return { ...index, status };
}

function idOf(key: ArchiveKey, name: string): string {
  return `${key}\n${name}`;
}

function splitId(id: string): { key: ArchiveKey; name: string } {
  const feed = id.indexOf('\n');
  return { key: id.slice(0, feed) as ArchiveKey, name: id.slice(feed + 1) };
}
