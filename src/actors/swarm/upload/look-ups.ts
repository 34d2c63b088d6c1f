/**
 * Asks the store for what peers want: few files at a time for each peer, and every peer has an answer in time, however
 * slow the store is.
 */
import type { Clock } from '../../../core/clock.ts';
import type { Holdings } from './holdings.ts';
import type { Peer, Want } from './peer.ts';
import type { SharedFile } from './shared-file.ts';

export interface LookUpsDeps {
  readonly clock: Clock;
  readonly holdings: Pick<Holdings, 'ask'>;
  /** The store has a file for an open want. */
  found(want: Want, file: SharedFile): void;
}

/** Questions to the store for one peer at a time. */
const MOST_AT_ONCE = 16;
/** Peers are to have an answer in 5 s (docs/PROTOCOL.md); without one from the store by then it is none. */
const PATIENCE_MS = 3_000;
const OVERDUE_CHECK_MS = 1_000;
/** Answers that say none wait so long for more of them, in milliseconds. */
const NONES_MS = 10;

export class LookUps {
  readonly #deps: LookUpsDeps;
  /** Peers with answers that are not sent. */
  readonly #unflushed = new Set<Peer>();
  #flushTimer: { clear(): void } | undefined;
  /** Peers whose wants the store is asked for. */
  readonly #asking = new Set<Peer>();
  #overdueTimer: { clear(): void } | undefined;

  constructor(deps: LookUpsDeps) {
    this.#deps = deps;
  }

  /** Answers the want: `found`, or none to the peer. */
  ask(want: Want): void {
    const { peer } = want;
    const { clock } = this.#deps;
    want.askedAt = clock.now();
    peer.lookUps.push(want);
    this.#asking.add(peer);
    this.#overdueTimer ??= clock.setTimeout(() => this.#answerOverdue(), OVERDUE_CHECK_MS);
    this.#next(peer);
  }

  stop(): void {
    this.#flushTimer?.clear();
    this.#overdueTimer?.clear();
  }

  #next(peer: Peer): void {
    while (peer.lookingUp < MOST_AT_ONCE) {
      const want = peer.lookUps.shift();
      if (want === undefined) return;
      if (!want.isOpen) continue;
      peer.lookingUp += 1;
      void this.#deps.holdings.ask(want.sha256).then((file) => {
        peer.lookingUp -= 1;
        if (want.isOpen) {
          if (file === undefined) peer.none(want);
          else this.#deps.found(want, file);
          this.#flushSoon(peer);
        }
        this.#next(peer);
      });
    }
  }

  #flushSoon(peer: Peer): void {
    if (isDone(peer)) return peer.flush();
    this.#unflushed.add(peer);
    this.#flushTimer ??= this.#deps.clock.setTimeout(() => {
      this.#flushTimer = undefined;
      for (const waiting of this.#unflushed) waiting.flush();
      this.#unflushed.clear();
    }, NONES_MS);
    return undefined;
  }

  /** Whoever waits for too long is told none for now; an offer may follow. */
  #answerOverdue(): void {
    this.#overdueTimer = undefined;
    const { clock } = this.#deps;
    const since = clock.now() - PATIENCE_MS;
    for (const peer of this.#asking) {
      for (const want of peer.wants.values()) if (want.askedAt <= since) peer.none(want);
      peer.flush();
      if (peer.isGone || isDone(peer)) this.#asking.delete(peer);
    }
    if (this.#asking.size === 0) return;
    this.#overdueTimer = clock.setTimeout(() => this.#answerOverdue(), OVERDUE_CHECK_MS);
  }
}

function isDone({ lookUps, lookingUp }: Peer): boolean {
  return lookUps.length + lookingUp === 0;
}
