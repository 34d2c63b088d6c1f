/**
 * Which link is asked for which block, and when: links are kept busy within their windows, small files go to the link
 * that will have them soonest, the last blocks are asked for twice, and what does not come is asked for elsewhere.
 */
import type { Clock } from '../../../core/clock.ts';
import { BLOCK_BYTES } from '../../../core/swarm/pieces.ts';
import { BLOCKS_PER_PIECE, pickBlock } from '../../../core/swarm/picker.ts';
import type { BlockRef } from '../link/link.ts';
import type { EachTurn } from './each-turn.ts';
import type { Lane, Request } from './lane.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { Seller } from './seller.ts';
import type { Want } from './want.ts';

export interface RequesterDeps {
  readonly clock: Clock;
  readonly turn: EachTurn;
  readonly budget: MemoryBudget;
  lanes(): Iterable<Lane>;
  /** Milliseconds to wait for the download limit; 0 takes the bytes. */
  takeTokens(bytes: number): number;
  /** Too much is written and not checked yet. */
  checksBehind(): boolean;
  /** The link does not take a request though it has room for it. */
  refused(seller: Seller): void;
  /** All that could be asked for has been: whoever still misses something finds out whether it can come. */
  pumped(hungry: Iterable<Want>): void;
}

/** Blocks of small files may exceed a link's window up to this. */
const MAX_OPEN = 128;
/** Blocks that an idle link takes over from others at the end. */
const MAX_DOUBLED = 4;

export class Requester {
  readonly #deps: RequesterDeps;
  /** Files with blocks to ask for, the next one to be served first. */
  readonly #hungry = new Set<Want>();
  /** Files with jobs. */
  readonly #active = new Set<Want>();
  #thirsty: { clear(): void } | undefined;
  readonly #pumpAll = () => this.#pump();

  constructor(deps: RequesterDeps) {
    this.#deps = deps;
  }

  /** Blocks were added to what the want has to do. */
  hungry(want: Want): void {
    this.#active.add(want);
    if (want.todo.count > 0) this.#hungry.add(want);
    this.soon();
  }

  /** The want has no jobs any more. */
  idle(want: Want): void {
    this.#active.delete(want);
    this.#hungry.delete(want);
  }

  soon(): void {
    this.#deps.turn.soon(this.#pumpAll);
  }

  stop(): void {
    this.#thirsty?.clear();
  }

  /** A link has answered: asks it for more. */
  refill(lane: Lane): void {
    if (this.#deps.checksBehind()) return;
    while (lane.hasRoom) if (!this.#askNext(lane)) break;
    if (lane.requests.size === 0) this.#double(lane);
  }

  /** Takes a request back: it is answered, or will not be. The other requests for its block stay. */
  close(request: Request): void {
    const { requests } = request.seller.want;
    for (let block = request.first; block < request.end; block++) {
      const others = (requests.get(block) ?? []).filter((other) => other !== request);
      if (others.length > 0) requests.set(block, others);
      else requests.delete(block);
    }
  }

  /** The open requests for blocks of one that is closed. */
  others({ seller: { want }, first, end }: Request): Set<Request> {
    const others = new Set<Request>();
    for (let block = first; block < end; block++) for (const other of want.requests.get(block) ?? []) others.add(other);
    return others;
  }

  /** Takes back a request unless some of its blocks are needed. */
  cancelUnneeded(request: Request): void {
    const { want } = request.seller;
    if (!want.needs(request.first * BLOCK_BYTES, request.end * BLOCK_BYTES)) this.#cancel(request);
  }

  #cancel(request: Request): void {
    const { lane } = request.seller;
    if (lane.take(request.ref) === undefined) return;
    lane.hesitation.gaveUp(request.askedAt, this.#deps.clock.now());
    this.close(request);
    this.#deps.budget.release(request.ref.length);
    lane.link.cancel(request.ref);
  }

  /** A request came to nothing: its blocks have to be asked for again, unless somebody else is or nobody needs them. */
  again(request: Request): void {
    this.close(request);
    this.#deps.budget.release(request.ref.length);
    this.#restore(request);
  }

  #restore({ seller: { want }, first, end }: Request): void {
    let restored = false;
    for (let block = first; block < end; block++) {
      const start = block * BLOCK_BYTES;
      if (want.requests.has(block) || !want.needs(start, start + BLOCK_BYTES)) continue;
      want.todo.add(block);
      restored = true;
    }
    if (restored) this.hungry(want);
  }

  /** All requests of a file on one link are taken back and asked for elsewhere. */
  withdraw(seller: Seller): void {
    for (const request of [...seller.lane.requests.values()]) {
      if (request.seller !== seller) continue;
      this.#cancel(request);
      this.#restore(request);
    }
  }

  #pump(): void {
    if (!this.#deps.checksBehind()) {
      for (const want of [...this.#hungry]) if (want.small) this.#askSmall(want);
      let lanes = [...this.#deps.lanes()].filter((lane) => lane.hasRoom);
      while (this.#hungry.size > 0 && lanes.length > 0) {
        const lane = soonest(lanes);
        if (!this.#askNext(lane) || !lane.hasRoom) lanes = lanes.filter((each) => each !== lane);
      }
      for (const lane of this.#deps.lanes()) if (lane.requests.size === 0) this.#double(lane);
    }
    this.#deps.pumped([...this.#hungry]);
  }

  /** All blocks of a small file go to one link. */
  #askSmall(want: Want): void {
    const now = this.#deps.clock.now();
    let best: Seller | undefined;
    let bestTime = Infinity;
    for (const seller of want.sellers.values()) {
      const { lane } = seller;
      if (!seller.live(now) || !seller.sells(0) || lane.requests.size >= mostOf(lane)) continue;
      const time = lane.window.expected(lane.open);
      if (time >= bestTime) continue;
      best = seller;
      bestTime = time;
    }
    for (let block = want.todo.firstOf(0); best !== undefined && block !== undefined; block = want.todo.firstOf(0)) {
      if (best.lane.requests.size >= mostOf(best.lane) || !this.#ask(best, block, 1)) return;
    }
  }

  /** Asks a link for the next block that it has; false when there is none or it cannot be asked. */
  #askNext(lane: Lane): boolean {
    const now = this.#deps.clock.now();
    for (const want of this.#hungry) {
      const seller = want.sellers.get(lane);
      if (seller?.live(now) !== true) continue;
      const block = pickOf(seller);
      if (block === undefined) continue;
      const piece = Math.floor(block / BLOCKS_PER_PIECE);
      if (!this.#ask(seller, block, lane.window.span)) return false;
      if (seller.current !== piece && this.#hungry.delete(want) && want.todo.count > 0) this.#hungry.add(want);
      seller.current = piece;
      return true;
    }
    return false;
  }

  /** Asks for a block, and for up to `most` in all that follow it in its piece and are to be asked for too. */
  #ask(seller: Seller, first: number, most: number): boolean {
    const { want, lane, base } = seller;
    if (base === undefined) return false;
    const piece = Math.floor(first / BLOCKS_PER_PIECE);
    const last = Math.min(first + most, (piece + 1) * BLOCKS_PER_PIECE);
    let end = first + 1;
    while (end < last && want.todo.has(end)) end += 1;
    const start = first * BLOCK_BYTES;
    const length = Math.min(end * BLOCK_BYTES, want.file.size) - start;
    if (!this.#deps.budget.reserve(length, want.small) || !this.#takeTokens(length)) return false;
    const ref: BlockRef = { index: base + piece, offset: start - piece * BLOCKS_PER_PIECE * BLOCK_BYTES, length };
    const request: Request = { seller, first, end, ref, askedAt: this.#deps.clock.now() };
    lane.opened(request);
    for (let block = first; block < end; block++) {
      want.requests.set(block, [...(want.requests.get(block) ?? []), request]);
      want.todo.delete(block);
    }
    if (want.todo.count === 0 && this.#hungry.delete(want)) this.soon();
    // A link that brings one block after the other is not late, be it slow; a small file might be had elsewhere.
    const time = { ms: lane.window.deadline(want.small), since: want.small ? 'request' : 'last-block' } as const;
    if (lane.link.request(ref, time)) return true;
    // Refused though there is room: it knows something that is not known here. Asking it on and on is no use.
    if (lane.take(ref) !== undefined) this.again(request);
    this.#deps.refused(seller);
    return false;
  }

  #takeTokens(bytes: number): boolean {
    const wait = this.#thirsty === undefined ? this.#deps.takeTokens(bytes) : 1;
    if (wait <= 0) return true;
    this.#deps.budget.release(bytes);
    this.#thirsty ??= this.#deps.clock.setTimeout(() => {
      this.#thirsty = undefined;
      this.#pump();
    }, wait);
    return false;
  }

  /** A link without work asks for blocks that others will bring last. Who is slower is told to leave it. */
  #double(lane: Lane): void {
    const now = this.#deps.clock.now();
    const mine = lane.window.expected(0);
    const late: { seller: Seller; block: number; expected: number }[] = [];
    for (const want of this.#active) {
      const seller = want.sellers.get(lane);
      if (want.todo.count > 0 || want.requests.size === 0 || seller?.live(now) !== true) continue;
      for (const [block, [request, second]] of want.requests) {
        if (request === undefined || second !== undefined || request.seller === seller) continue;
        if (!seller.sells(Math.floor(block / BLOCKS_PER_PIECE))) continue;
        const { window, open } = request.seller.lane;
        const usual = window.expected(open);
        const elapsed = now - request.askedAt;
        // What takes longer than it should is likely to take as long again.
        const expected = usual > elapsed ? usual - elapsed : elapsed;
        if (expected > mine) late.push({ seller, block, expected });
      }
    }
    late.sort((a, b) => b.expected - a.expected || b.block - a.block);
    const most = Math.min(MAX_DOUBLED, lane.link.maxRequests);
    for (const { seller, block } of late.slice(0, most)) if (!this.#ask(seller, block, 1)) return;
  }
}

function mostOf({ link }: Lane): number {
  return Math.min(MAX_OPEN, link.maxRequests);
}

/** The next block of a file for one of those who have it, soonest needed first. */
function pickOf(seller: Seller): number | undefined {
  const { want, current } = seller;
  const pieceBytes = BLOCKS_PER_PIECE * BLOCK_BYTES;
  for (const { first, job } of want.jobs.values()) {
    if (first === undefined) continue;
    const block = pickBlock({
      todo: want.todo,
      from: Math.floor(first / pieceBytes),
      to: Math.ceil(job.end / pieceBytes),
      current,
      has: (piece) => seller.sells(piece),
    });
    if (block !== undefined) return block;
  }
  return undefined;
}

function soonest(lanes: readonly Lane[]): Lane {
  return lanes.reduce((best, lane) =>
    lane.window.expected(lane.open) < best.window.expected(best.open) ? lane : best,
  );
}
