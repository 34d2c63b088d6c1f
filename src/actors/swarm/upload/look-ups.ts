/**
 * Asks the store for what peers want: few files at a time for each peer, and not too many a second; and every peer has an
 * answer in time, however slow the store is.
 */
import type { Clock } from '../../../core/clock.ts';
import type { Holdings } from './holdings.ts';
import { LookUpPace } from './look-up-pace.ts';
import type { Peer, Want } from './peer.ts';
import type { SharedFile } from './shared-file.ts';

export interface LookUpsDeps {
  readonly clock: Clock;
  readonly holdings: Pick<Holdings, 'ask' | 'known'>;
  /** The store has a file for an open want. */
  found(want: Want, file: SharedFile): void;
}

/** Questions to the store for one peer at a time. */
const MOST_AT_ONCE = 16;
/** Peers are to have an answer in 5 s (docs/PROTOCOL.md); without one from the store by then it is none. */
const PATIENCE_MS = 3_000;
const OVERDUE_CHECK_MS = 1_000;
/** Who asked for too much is looked at again after this time, in milliseconds. */
const PACE_MS = 50;
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
  readonly #pace = new LookUpPace();
  /** Peers for which the store was asked so often that the next question has to wait. */
  readonly #paced = new Set<Peer>();
  #paceTimer: { clear(): void } | undefined;

  constructor(deps: LookUpsDeps) {
    this.#deps = deps;
  }

  /** Answers the want: `found`, or none to the peer. */
  ask(want: Want): void {
    const { peer } = want;
    const { clock } = this.#deps;
    want.askedAt = clock.now();
    peer.lookUps.add(want);
    this.#asking.add(peer);
    this.#overdueTimer ??= clock.setTimeout(() => this.#answerOverdue(), OVERDUE_CHECK_MS);
    if (this.#paced.has(peer)) peer.none(want);
    else this.#next(peer);
  }

  stop(): void {
    this.#flushTimer?.clear();
    this.#overdueTimer?.clear();
    this.#paceTimer?.clear();
  }

  #next(peer: Peer): void {
    const { clock, holdings } = this.#deps;
    for (const want of peer.lookUps) {
      if (peer.lookingUp >= MOST_AT_ONCE) return;
      // What somebody else asked for meanwhile is no question any more.
      const known = holdings.known(want.sha256);
      if (known === undefined && !this.#pace.take(peer.link.address, clock.now())) return this.#later(peer);
      peer.lookUps.delete(want);
      if (known === undefined) this.#look(want);
      else this.#answer(want, known === 'nothing' ? undefined : known);
    }
  }

  #look(want: Want): void {
    const { peer } = want;
    peer.lookingUp += 1;
    void this.#deps.holdings.ask(want.sha256).then((file) => {
      peer.lookingUp -= 1;
      this.#answer(want, file);
      if (!this.#paced.has(peer)) this.#next(peer);
    });
  }

  #answer(want: Want, file: SharedFile | undefined): void {
    if (!want.isOpen) return;
    if (file === undefined) want.peer.none(want);
    else this.#deps.found(want, file);
    this.#flushSoon(want.peer);
  }

  /** Nobody waits for these questions: it is none for now, and an offer may follow. */
  #later(peer: Peer): void {
    this.#paced.add(peer);
    for (const want of peer.lookUps) peer.none(want);
    this.#flushSoon(peer);
    this.#paceTimer ??= this.#deps.clock.setTimeout(() => {
      this.#paceTimer = undefined;
      const paced = [...this.#paced];
      this.#paced.clear();
      for (const each of paced) this.#next(each);
    }, PACE_MS);
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
  return lookUps.size + lookingUp === 0;
}
