/** Dials the addresses that discovery finds, few at a time, and again later when it fails or the link ends. */
import type { Clock } from '../../core/clock.ts';
import type { InfoHash } from '../../core/ids.ts';
import { DialBook, type Dial, type DialAddress } from '../../core/swarm/dial-book.ts';

/** `refused`: who answers there does not share the torrent. */
type Made = 'linked' | 'refused' | 'failed' | 'self';

export interface DiallingDeps {
  /** Resolves when the link is there or could not be made, and again when it has ended. */
  dial(dial: Dial): { readonly made: Promise<Made>; readonly ended: Promise<void> };
  /** A peer that says that it listens there is linked already. */
  isLinked(address: DialAddress): boolean;
  torrents(): ReadonlySet<InfoHash>;
  readonly clock: Clock;
  random(): number;
}

const TICK_MS = 1_000;
/** Links that this side opens at most, fixed peers aside; however many others have opened. */
const MAX_DIALLED = 80;

export class Dialling {
  readonly #deps: DiallingDeps;
  readonly #book: DialBook;
  #timer: { clear(): void } | undefined;
  #soon = false;
  #stopped = false;

  constructor(deps: DiallingDeps) {
    this.#deps = deps;
    this.#book = new DialBook({ random: deps.random });
  }

  found(torrent: InfoHash, addresses: readonly DialAddress[], fixed: boolean): void {
    this.#book.found(torrent, addresses, fixed);
    this.#goOnSoon();
  }

  /** This machine is on another network, or was asleep. */
  renew(): void {
    this.#book.renew(this.#deps.clock.now());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.clear();
  }

  /** Several torrents find the same peers in the same moment: they are looked at together. */
  #goOnSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      this.#goOn();
    });
  }

  #goOn(): void {
    if (this.#stopped) return;
    const { clock, torrents } = this.#deps;
    const room = MAX_DIALLED - this.#book.taken;
    for (const dial of this.#book.due(clock.now(), torrents(), room)) this.#dial(dial);
    if (this.#book.size === 0) return;
    this.#timer ??= clock.setTimeout(() => {
      this.#timer = undefined;
      this.#goOn();
    }, TICK_MS);
  }

  #dial(dial: Dial): void {
    const { clock, torrents } = this.#deps;
    const over = () => {
      if (!this.#stopped) this.#book.ended(dial, clock.now());
    };
    const refused = () => {
      this.#book.refused(dial, torrents(), clock.now());
      this.#goOnSoon();
    };
    if (this.#deps.isLinked(dial)) {
      this.#book.isThere(dial, clock.now());
      return;
    }
    const { made, ended } = this.#deps.dial(dial);
    made.then(
      (what) => {
        if (what === 'self') return this.#book.forget(dial);
        if (what === 'refused') return refused();
        if (what === 'failed') return over();
        this.#book.linked(dial, clock.now());
        return ended.then(over, over);
      },
      () => over(),
    );
  }
}
