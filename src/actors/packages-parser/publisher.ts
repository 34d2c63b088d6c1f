/**
 * Brings each change to whoever needs it: the gateway first, then the state file, then segments that nobody needs any
 * more are deleted. Changes that come while one is under way are brought together as one.
 */
import type { ArchiveState } from '../../core/archive/archive-state.ts';
import type { Clock } from '../../core/clock.ts';
import { asDebtorrentError } from '../../core/errors.ts';
import type { Logger } from '../../core/logging.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { CatalogueReaderProtocol } from './collaborators.ts';
import type { CatalogueStore, PersistedState } from './catalogue-store.ts';

export interface PublisherDeps {
  readonly gateway: ActorRef<CatalogueReaderProtocol>;
  readonly store: CatalogueStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** The state as it is when it is called. */
  readonly state: () => PersistedState;
}

/** Milliseconds that the gateway may take to read the segments. */
const GATEWAY_MS = 30_000;
const RETRY_MS = 2_000;

export class Publisher {
  readonly #deps: PublisherDeps;
  #running: Promise<void> | undefined;
  #again: Promise<void> | undefined;
  #retry: { clear(): void } | undefined;
  #stopped = false;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
  }

  /** Resolves when the gateway goes by the present state or could not be reached; never rejects. */
  publish(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (!this.#running) return this.#start();
    this.#again ??= this.#running.then(() => {
      this.#again = undefined;
      return this.publish();
    });
    return this.#again;
  }

  /** Resolves when what was under way is on disk. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.clear();
    await this.#running;
  }

  #start(): Promise<void> {
    this.#retry?.clear();
    const state = this.#deps.state();
    const archives = state.archives.map((a) => a.state);
    const told = this.#tell(archives);
    this.#running = Promise.all([told, this.#save(state)]).then(async ([reached]) => {
      if (reached) await this.#deps.store.settle(archives);
      this.#running = undefined;
      if (!reached && !this.#stopped) this.#retryLater();
    });
    return told.then(() => undefined);
  }

  async #tell(archives: readonly ArchiveState[]): Promise<boolean> {
    const { gateway, store, log } = this.#deps;
    try {
      return await gateway.within(GATEWAY_MS).ask('catalogueChanged', { segmentDir: store.dir, archives });
    } catch (error) {
      if (!this.#stopped) log.warn({ err: asDebtorrentError(error) }, 'the gateway could not take the catalogue');
      return false;
    }
  }

  async #save(state: PersistedState): Promise<void> {
    await this.#deps.store.save(state).catch((error: unknown) => {
      this.#deps.log.warn({ err: asDebtorrentError(error) }, 'the catalogue cannot be saved');
    });
  }

  #retryLater(): void {
    this.#retry = this.#deps.clock.setTimeout(() => void this.publish(), RETRY_MS);
  }
}
