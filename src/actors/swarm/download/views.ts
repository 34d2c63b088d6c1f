/** What peers can do for each want, told to the transfers when it changes, at most once in a turn of the event loop. */
import type { Clock } from '../../../core/clock.ts';
import type { Logger } from '../../../core/logging.ts';
import { rangesOf, sameRanges, union } from '../../../core/swarm/peer-view.ts';
import { BLOCK_BYTES } from '../../../core/swarm/pieces.ts';
import { type PeerView, SEEK_MS, type WantId } from '../protocol.ts';
import type { EachTurn } from './each-turn.ts';
import type { Seller } from './seller.ts';
import type { TogetherFeed } from './together-feed.ts';
import type { Want } from './want.ts';

export interface ViewsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly turn: EachTurn;
  readonly together: TogetherFeed;
  offered(id: WantId, view: PeerView): void;
}

/** The last part of SEEK_MS: a thread that was busy meanwhile reads what has come before it says that nobody answered. */
const LAST_LOOK_MS = 5;
/** With others who want the same, what they say of it is waited for so long after the last answer, in milliseconds. */
const HEAR_MS = 10;

export class Views {
  readonly #deps: ViewsDeps;
  #changed = new Set<Want>();
  readonly #publishAll = () => this.#publish();

  constructor(deps: ViewsDeps) {
    this.#deps = deps;
  }

  changed(want: Want): void {
    if (want.closed) return;
    this.#changed.add(want);
    this.#deps.turn.soon(this.#publishAll);
  }

  /** The view when the first answers are there, or after SEEK_MS; at once when nobody was asked who is there. */
  first(want: Want): Promise<PeerView> {
    this.#update(want);
    if (!want.view.unanswered) return Promise.resolve(want.view);
    return new Promise((resolve) => {
      want.seeking = resolve;
      want.later(SEEK_MS - LAST_LOOK_MS, () => want.later(LAST_LOOK_MS, () => this.#timeIsUp(want)));
    });
  }

  #timeIsUp(want: Want): void {
    const now = this.#deps.clock.now();
    for (const { lane, answered } of want.sellers.values()) {
      if (answered || !lane.missed(now)) continue;
      this.#deps.together.absent(lane);
      const { name } = lane.link;
      this.#deps.log.info(
        { peer: name, reason: 'does not answer' },
        'a peer is not waited for until something comes of it',
      );
    }
    this.settle(want);
  }

  /** Answers whoever waits for the first view. */
  settle(want: Want): void {
    const { seeking } = want;
    want.seeking = undefined;
    if (seeking === undefined) return;
    if (!want.closed) this.#update(want);
    seeking(want.view);
  }

  #publish(): void {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const want of changed) {
      if (want.closed) continue;
      const news = this.#update(want);
      if (want.seeking === undefined) {
        if (news) this.#deps.offered(want.file.id, want.view);
      } else if (answered(want)) {
        const [first] = want.view.available;
        const whole = first?.[0] === 0 && first[1] === want.file.size;
        if (whole || want.heard || want.wanters.size === 0) this.settle(want);
        else this.#hear(want);
      }
    }
  }

  #hear(want: Want): void {
    if (want.hearing) return;
    want.hearing = true;
    want.later(HEAR_MS, () => {
      want.heard = true;
      this.settle(want);
    });
  }

  /** True when the view has changed. */
  #update(want: Want): boolean {
    const now = this.#deps.clock.now();
    const { size } = want.file;
    const sellers = [...want.sellers.values()];
    want.available = union(
      want.pieces,
      sellers.flatMap((seller) => seller.selling(now) ?? []),
    );
    const taken = this.#deps.together.elsewhere(want, want.available);
    const pace = paceOf(sellers, size, now);
    const view: PeerView = {
      asked: sellers.length,
      unanswered: sellers.some(({ awaited }) => awaited),
      // Who is not reckoned with does not share the work either.
      wanters: [...want.wanters].filter((lane) => lane.isReckonedWith(now)).length + want.together.expected(now),
      available: rangesOf(size, want.available),
      elsewhere: taken === undefined ? [] : rangesOf(size, taken),
      ...(pace === undefined ? {} : { pace }),
    };
    const same =
      sameRanges(view.available, want.view.available) &&
      sameRanges(view.elsewhere, want.view.elsewhere) &&
      view.unanswered === want.view.unanswered &&
      view.wanters === want.view.wanters &&
      (view.pace === undefined) === (want.view.pace === undefined) &&
      view.asked > 0 === want.view.asked > 0;
    want.view = view;
    this.#deps.together.announce(want, false);
    return !same;
  }
}

/** What was asked of a link before comes first. */
function paceOf(sellers: readonly Seller[], size: number, now: number): number | undefined {
  let sum: number | undefined;
  for (const seller of sellers) {
    if (seller.selling(now) === undefined) continue;
    const pace = seller.lane.pace(now);
    if (pace === undefined) return undefined;
    sum = (sum ?? 0) + (pace * size) / (size + seller.lane.open * BLOCK_BYTES);
  }
  return sum;
}

/** Somebody has all of it, or everybody who is there has answered. */
function answered(want: Want): boolean {
  const [first] = want.view.available;
  if (first?.[0] === 0 && first[1] === want.file.size) return true;
  // Who has it and has not said yet that it would send it is about to.
  return [...want.sellers.values()].every(({ awaited, offered, have, base, lane }) => {
    const waits = offered && base !== undefined && !have.isEmpty && lane.link.peerChoking;
    return !awaited && !waits;
  });
}
