/** The swarm actors: one for each torrent that the catalogue lets this machine take part in. */
import type { InfoHash } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { DialAddress } from '../../core/swarm/dial-book.ts';
import { spawn, type LocalActor } from '../../kernel/actor.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import { createSwarm, type SwarmProtocol, type SwarmStatus } from './swarm.ts';

export interface SwarmsDeps {
  dial(torrent: InfoHash, addresses: readonly DialAddress[], fixed: boolean): void;
  readonly log: Logger;
}

/** A catalogue may name more; what is beyond is fetched from mirrors. */
const MAX_SWARMS = 1_000;
/** Messages that wait for one swarm; those about addresses may be lost, discovery reports them again. */
const MAILBOX = { limit: 4_096 };

export class Swarms {
  readonly #deps: SwarmsDeps;
  readonly #actors = new Map<InfoHash, LocalActor<SwarmProtocol>>();

  constructor(deps: SwarmsDeps) {
    this.#deps = deps;
  }

  get torrents(): ReadonlySet<InfoHash> {
    return new Set(this.#actors.keys());
  }

  /** Starts and stops actors so that there is one for each of these. True when that changed anything. */
  follow(torrents: readonly InfoHash[]): boolean {
    const wanted = new Set(torrents.slice(0, MAX_SWARMS));
    let changed = false;
    for (const [torrent, actor] of this.#actors) {
      if (wanted.has(torrent)) continue;
      this.#actors.delete(torrent);
      void actor.stop();
      changed = true;
    }
    for (const torrent of wanted) {
      if (this.#actors.has(torrent)) continue;
      this.#start(torrent);
      changed = true;
    }
    return changed;
  }

  ref(torrent: InfoHash): ActorRef<SwarmProtocol> | undefined {
    return this.#actors.get(torrent)?.ref;
  }

  async status(): Promise<Record<InfoHash, SwarmStatus>> {
    const all = await Promise.all(
      [...this.#actors].map(async ([torrent, actor]) => [torrent, await actor.ref.ask('status')] as const),
    );
    return Object.fromEntries(all);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#actors.values()].map((actor) => actor.stop()));
  }

  #start(torrent: InfoHash): void {
    const { log, dial } = this.#deps;
    const behaviour = createSwarm({ torrent, log, dial: (addresses, fixed) => dial(torrent, addresses, fixed) });
    const actor = spawn<SwarmProtocol>({ name: `swarm ${torrent.slice(0, 8)}`, behaviour, mailbox: MAILBOX, log });
    this.#actors.set(torrent, actor);
    void actor.ended.then(() => {
      // One that fails starts anew with the next catalogue; its links are not its own.
      if (this.#actors.get(torrent) === actor) this.#actors.delete(torrent);
    });
  }
}
