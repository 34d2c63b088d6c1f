/** Who is asked for which file, and what they answer: wants, offers, leases, trees. */
import type { Clock } from '../../../core/clock.ts';
import { Bitmap } from '../../../core/swarm/bitmap.ts';
import { MAX_TREE_PIECES } from '../../../core/swarm/limits.ts';
import type { FilesMessage } from '../../../core/swarm/messages.ts';
import type { EachTurn } from './each-turn.ts';
import type { Lane } from './lane.ts';
import type { Requester } from './requester.ts';
import type { Seller } from './seller.ts';
import type { Want } from './want.ts';

export type Answer = Extract<FilesMessage, { type: 'offer' | 'none' | 'retract' | 'tree' }>;

export interface AskingDeps {
  readonly clock: Clock;
  readonly turn: EachTurn;
  readonly requester: Requester;
  lanes(): Iterable<Lane>;
  /** What peers can do for the want has changed. */
  changed(want: Want): void;
  /** A link has answered for the first time. */
  answered(want: Want, lane: Lane): void;
  /** Roots were told. */
  treeTold(want: Want): void;
  /** The peer broke the rules. */
  fault(lane: Lane, message: string): void;
}

/** Links that have a file, or may say so yet, until no more of them are asked for it. */
const MAX_ASKED = 50;
/** A link that has not answered for this time is not reckoned with, in milliseconds: others are asked in its place. */
const ANSWER_MS = 1_000;
/** Times that a peer is asked for one file, when it leaves and comes back or takes its offer back. */
const MAX_ASKS = 4;
/** Links that are asked for the piece roots of one file. */
const MAX_TREES = 4;
/** An unwant waits so long for more of them, in milliseconds: nobody waits for it. */
const UNWANT_MS = 50;

export class Asking {
  readonly #deps: AskingDeps;
  readonly #flushAsked = () => {
    for (const lane of this.#deps.lanes()) lane.flush();
  };
  /** Wants for which some links were not asked, as enough others were, until they are looked at again. */
  readonly #short = new Map<Want, { clear(): void }>();
  readonly #askMore = () => {
    for (const want of [...this.#short.keys()]) this.#goOn(want);
  };
  /** Until all is flushed. */
  #timer: { clear(): void } | undefined;

  constructor(deps: AskingDeps) {
    this.#deps = deps;
  }

  /** Asks a link for a file unless it cannot have it or was asked. */
  ask(want: Want, lane: Lane): void {
    const { peerId, common } = lane.link;
    const times = want.asked.get(peerId) ?? 0;
    if (want.sellers.has(lane) || times >= MAX_ASKS || lane.full) return;
    if (!want.file.torrents.some((torrent) => common.includes(torrent))) return;
    if (want.sellers.size >= MAX_ASKED && this.#counted(want) >= MAX_ASKED) {
      this.#postpone(want);
      return;
    }
    want.asked.set(peerId, times + 1);
    want.sellers.set(lane, lane.ask(want, this.#deps.clock.now()));
    this.#flush();
  }

  /** Ends a want on all links. */
  end(want: Want): void {
    for (const [lane, seller] of want.sellers) lane.end(seller);
    want.sellers.clear();
    this.#short.delete(want);
    this.#flushLater();
  }

  stop(): void {
    this.#timer?.clear();
  }

  /** A lane is gone. */
  left(lane: Lane): void {
    for (const seller of lane.sellers) {
      const { want } = seller;
      seller.base = undefined;
      want.sellers.delete(lane);
      this.#deps.changed(want);
      this.#soonMore(want);
    }
    for (const request of [...lane.requests.values()]) {
      lane.take(request.ref);
      this.#deps.requester.again(request);
    }
  }

  answer(lane: Lane, message: Answer): void {
    switch (message.type) {
      case 'offer':
        this.#offer(lane, message);
        return;
      case 'none':
        for (const file of message.files) this.#none(lane, file);
        return;
      case 'retract':
        for (const base of message.bases) this.#retract(lane, base);
        return;
      case 'tree':
        this.#tree(lane, message);
        return;
    }
  }

  /** A piece that the peer had not before. */
  have(lane: Lane, index: number): Want | undefined {
    const found = lane.leases.byIndex(index);
    if (found === undefined || !found.seller.have.set(found.piece)) return undefined;
    const { want } = found.seller;
    this.#delivered(want, lane);
    if (found.seller.have.isFull) {
      found.seller.whole = true;
      this.askTrees(want);
    }
    this.#deps.changed(want);
    return want;
  }

  allowedFast(lane: Lane, index: number): void {
    const found = lane.leases.byIndex(index);
    if (found === undefined) return;
    found.seller.allowFast(found.piece);
    this.#deps.changed(found.seller.want);
    this.#deps.requester.soon();
  }

  /**
   * Asks for piece roots where they can tell something: with several who send, or with others to pass pieces on to.
   * One peer alone would only vouch for itself, and hashing everything twice costs both sides.
   */
  askTrees(want: Want): void {
    if (want.small || want.pieces > MAX_TREE_PIECES) return;
    const holders = [...want.sellers.values()].filter(({ base }) => base !== undefined);
    if (holders.length < 2 && want.wanters.size === 0) return;
    let asked = holders.filter(({ treeAsked }) => treeAsked).length;
    for (const seller of holders) {
      if (!seller.whole || seller.treeAsked || asked >= MAX_TREES) continue;
      asked += 1;
      seller.treeAsked = true;
      seller.lane.link.send({ type: 'tree-request', file: seller.file });
    }
  }

  #offer(lane: Lane, { file, base, pieces, have }: Extract<Answer, { type: 'offer' }>): void {
    const seller = this.#about(lane, file);
    if (seller === undefined) return;
    if (seller === 'ended') {
      if (!lane.leases.begin(undefined, base, pieces)) this.#deps.fault(lane, 'leased the same indexes twice');
      return;
    }
    const { want } = seller;
    const bitmap = have === undefined ? Bitmap.full(want.pieces) : Bitmap.parse(have, want.pieces);
    if (seller.offered) this.#deps.fault(lane, 'offered the same file twice');
    else if (pieces !== want.pieces || bitmap === undefined) this.#deps.fault(lane, 'offered a file of another size');
    else if (!lane.leases.begin(seller, base, pieces)) this.#deps.fault(lane, 'leased the same indexes twice');
    else {
      seller.offered = true;
      seller.whole = bitmap.isFull;
      seller.have = bitmap;
      if (!bitmap.isEmpty) this.#delivered(want, lane);
      this.#answered(seller);
      this.askTrees(want);
      this.#deps.requester.soon();
      this.#flush();
    }
  }

  /** The peer has a piece that it had not before. */
  #delivered(want: Want, lane: Lane): void {
    want.together.delivered(lane.link.peerId, this.#deps.clock.now());
    if (want.wanters.has(lane)) lane.standing.keptWord();
  }

  #none(lane: Lane, file: number): void {
    const seller = this.#about(lane, file);
    if (seller === undefined || seller === 'ended') return;
    this.#answered(seller);
    this.#soonMore(seller.want);
  }

  #retract(lane: Lane, base: number): void {
    const seller = lane.leases.byBase(base);
    if (seller === undefined) return;
    const { want, slowUntil, slowTimes } = seller;
    this.#deps.requester.withdraw(seller);
    // That want is not answered again, though the peer may have the file anew: a transfer of its own that starts again.
    lane.end(seller);
    want.sellers.delete(lane);
    this.ask(want, lane);
    const again = want.sellers.get(lane);
    if (again !== undefined) Object.assign(again, { slowUntil, slowTimes });
    this.#deps.changed(want);
    this.#deps.requester.soon();
    this.#flushLater();
  }

  #tree(lane: Lane, { file, roots }: Extract<Answer, { type: 'tree' }>): void {
    const seller = this.#about(lane, file);
    if (seller === undefined || seller === 'ended') return;
    if (!seller.treeAsked) this.#deps.fault(lane, 'told piece roots that were not asked for');
    else if (roots.length === 0) return;
    else if (!seller.want.trust.told(lane.peer, roots)) this.#deps.fault(lane, 'told piece roots of another size');
    else this.#deps.treeTold(seller.want);
  }

  #answered(seller: Seller): void {
    const { lane, want } = seller;
    if (!seller.answered) {
      lane.answerTook(this.#deps.clock.now() - seller.askedAt);
      this.#deps.answered(want, lane);
    }
    seller.answered = true;
    this.#deps.changed(want);
  }

  /** Links that have the file, or may say so any moment; those that have said none may be as many as there are. */
  #counted(want: Want): number {
    const answersFrom = this.#deps.clock.now() - ANSWER_MS;
    const counts = ({ offered, answered, base, askedAt }: Seller) =>
      offered ? base !== undefined : !answered && askedAt > answersFrom;
    return [...want.sellers.values()].filter(counts).length;
  }

  #postpone(want: Want): void {
    if (this.#short.has(want)) return;
    this.#short.set(
      want,
      want.later(ANSWER_MS, () => this.#goOn(want)),
    );
  }

  /** A link that was asked is not counted any more. */
  #soonMore(want: Want): void {
    if (this.#short.has(want)) this.#deps.turn.soon(this.#askMore);
  }

  /** Asks links that were not asked for the file yet. */
  #goOn(want: Want): void {
    this.#short.get(want)?.clear();
    this.#short.delete(want);
    const now = this.#deps.clock.now();
    for (const lane of this.#deps.lanes()) {
      if (lane.snubbed(now)) continue;
      this.ask(want, lane);
      if (this.#short.has(want)) break;
    }
    this.#deps.changed(want);
  }

  #about(lane: Lane, file: number): Seller | 'ended' | undefined {
    const seller = lane.byFile(file);
    if (seller === undefined) this.#deps.fault(lane, 'answered a want that never was');
    return seller;
  }

  #flush(): void {
    this.#deps.turn.soon(this.#flushAsked);
  }

  #flushLater(): void {
    this.#timer ??= this.#deps.clock.setTimeout(() => {
      this.#timer = undefined;
      for (const lane of this.#deps.lanes()) lane.flushAll();
    }, UNWANT_MS);
  }
}
