/**
 * Brings each change to whoever needs it: to the gateway and to the state file at the same time, neither waiting for
 * the other; when both have the same, segments that nobody needs any more are deleted. Changes that come while one is
 * under way are brought together as one.
 */
import type { CatalogueUpdate } from '../../core/archive/archive-state.ts';
import type { Clock } from '../../core/clock.ts';
import { asDebtorrentError } from '../../core/errors.ts';
import type { Logger } from '../../core/logging.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import { Coalesced } from './coalesced.ts';
import type { CatalogueReaderProtocol } from './collaborators.ts';
import type { CatalogueStore, PersistedState } from './catalogue-store.ts';

/** The catalogue at one moment. */
export interface Snapshot {
  readonly saved: PersistedState;
  readonly update: CatalogueUpdate;
}

export interface PublisherDeps {
  readonly gateway: ActorRef<CatalogueReaderProtocol>;
  readonly store: CatalogueStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** The state as it is when it is called. */
  readonly state: () => Snapshot;
}

/** Milliseconds that the gateway may take. */
const GATEWAY_MS = 30_000;
const RETRY_MS = 2_000;
/** A full disk has room again when somebody makes some, and what was saved may be gone when somebody empties the cache. */
const LOOK_MS = 30_000;
/** What goes on failing is told again after this time, in milliseconds: a disk may stay full, or only be read, for days. */
const WARN_AGAIN_MS = 3_600_000;

export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #telling = new Coalesced(() => this.#tell());
  readonly #saving = new Coalesced(() => this.#save());
  #state: Snapshot;
  /** States that the gateway and the state file have; undefined before the first and after a failure. */
  #told: Snapshot | undefined;
  #saved: Snapshot | undefined;
  #retry: { clear(): void } | undefined;
  #look: { clear(): void } | undefined;
  #warnedAt = -Infinity;
  #stopped = false;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#state = deps.state();
  }

  /** Resolves when the gateway goes by the present state or could not be reached; never rejects. */
  publish(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#retry?.clear();
    this.#state = this.#deps.state();
    void this.#saving.run();
    return this.#telling.run();
  }

  /** Resolves when the gateway goes by what was published last, or could not be reached; never rejects. */
  told(): Promise<void> {
    return this.#telling.idle();
  }

  /** Resolves when what was published last is on disk, or cannot be; never rejects. */
  async saved(): Promise<void> {
    if (this.#saved !== this.#state && !this.#stopped) await this.#saving.run();
  }

  /** Resolves when what was published is on disk. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.clear();
    this.#look?.clear();
    await this.#telling.idle();
    await this.#saving.idle();
  }

  async #tell(): Promise<void> {
    const { gateway, log, clock } = this.#deps;
    const state = this.#state;
    if (this.#stopped) return;
    const reached = await gateway
      .within(GATEWAY_MS)
      .ask('catalogueChanged', state.update)
      .catch((error: unknown) => {
        if (!this.#stopped) log.warn({ err: asDebtorrentError(error) }, 'the gateway could not take the catalogue');
        return false;
      });
    this.#told = reached ? state : undefined;
    if (reached) await this.#settle();
    else if (!this.#stopped) this.#retry = clock.setTimeout(() => void this.publish(), RETRY_MS);
  }

  async #save(): Promise<void> {
    const state = this.#state;
    this.#look?.clear();
    if (this.#saved !== state) {
      try {
        await this.#deps.store.save(state.saved, state.update.segments);
        this.#saved = state;
        if (this.#warnedAt > -Infinity) this.#deps.log.info({}, 'the catalogue can be saved again');
        this.#warnedAt = -Infinity;
      } catch (error) {
        this.#saved = undefined;
        this.#warn(error);
      }
      await this.#settle();
    }
    if (!this.#stopped) this.#look = this.#deps.clock.setTimeout(() => void this.#saveAgain(), LOOK_MS);
  }

  async #saveAgain(): Promise<void> {
    if (!(await this.#deps.store.isThere())) this.#saved = undefined;
    if (!this.#stopped) await this.#saving.run();
  }

  #warn(error: unknown): void {
    const { clock, log } = this.#deps;
    const now = clock.now();
    if (now - this.#warnedAt < WARN_AGAIN_MS) return;
    this.#warnedAt = now;
    log.warn({ err: asDebtorrentError(error) }, 'the catalogue cannot be saved');
  }

  async #settle(): Promise<void> {
    const state = this.#told;
    if (state !== undefined && state === this.#saved) await this.#deps.store.settle(state.update.archives);
  }
}
