/**
 * One link as downloads see it: the files that were asked of it, its leases, the requests that are open, how fast it is
 * and how reliable. Messages to it that belong together go out together.
 */
import { RangeSet } from '../../../core/range-set.ts';
import { MAX_LISTED, MAX_OPEN_WANTS, MAX_WANTS_PER_MESSAGE, NUMBERS } from '../../../core/swarm/limits.ts';
import { LinkPace } from '../../../core/swarm/link-pace.ts';
import type { WantedEntry } from '../../../core/swarm/messages.ts';
import { BLOCK_BYTES } from '../../../core/swarm/pieces.ts';
import { BLOCKS_PER_PIECE } from '../../../core/swarm/picker.ts';
import { RequestWindow } from '../../../core/swarm/request-window.ts';
import type { BlockRef, Link } from '../link/link.ts';
import type { PeerKey } from '../protocol.ts';
import { Attendance } from './attendance.ts';
import { Promises } from './promises.ts';
import { Seller } from './seller.ts';
import type { Want } from './want.ts';

/** Blocks that were asked for at once: those [first, end) of one piece, numbered through the file. */
export interface Request {
  readonly seller: Seller;
  readonly first: number;
  readonly end: number;
  readonly ref: BlockRef;
  readonly askedAt: number;
}

/** One is left for the link's own (`link/pulse.ts`). */
const MOST_WANTS = MAX_OPEN_WANTS - 1;
/** Silences until the link is left alone, and for how long, in milliseconds. */
const MAX_SNUBS = 3;
export const SNUBBED_MS = 30_000;
/** Broken words until the peer is not left anything to take from the mirror: a stall costs more than a turn missed. */
const MAX_BROKEN_WORDS = 3;
const FIRST_DISTRUST_MS = 60_000;
const MAX_DISTRUST_MS = 3_600_000;
/** A peer that wants the same so soon after this machine, in milliseconds, is in step with it. */
const IN_STEP_MS = 500;
/** Files in a row that it does not want, or much later, until it is out of step. */
const MAX_STEPS = 4;
/** Files that it wanted and said nothing of, until that it wants one does not mean that it takes it; */
const MAX_UNANSWERED = 4;
/** and answers that make good for one of them. */
const ANSWERS_FOR_SILENCE = 4;

export class Lane {
  readonly link: Link;
  readonly peer: PeerKey;
  readonly window = new RequestWindow();
  readonly pace = new LinkPace();
  readonly promises = new Promises();
  readonly #attendance = new Attendance();
  /** By index and offset. */
  readonly requests = new Map<number, Request>();
  /** Blocks in them. */
  open = 0;
  readonly #byFile = new Map<number, Seller>();
  /** With a lease, ascending by its first index. */
  readonly #leases: Seller[] = [];
  /** Indexes of all leases that ever were. */
  readonly #used = new RangeSet();
  #nextFile = 1;
  #wants: WantedEntry[] = [];
  #unwants: number[] = [];
  #interested = false;
  #snubs = 0;
  #slowAt = -Infinity;
  #snubbedUntil = 0;
  #brokenWords = 0;
  #distrustMs = FIRST_DISTRUST_MS;
  #distrustedUntil = 0;
  #steps = 0;
  #unanswered = 0;

  constructor(link: Link) {
    this.link = link;
    // The link itself is not kept by what outlives it.
    this.peer = { address: link.address, peerId: link.peerId };
  }

  get sellers(): Iterable<Seller> {
    return this.#byFile.values();
  }

  get full(): boolean {
    return this.#byFile.size + this.#unwants.length >= MOST_WANTS || this.#nextFile >= NUMBERS;
  }

  /** More may be asked for: the window has room, and the peer takes another request. */
  get hasRoom(): boolean {
    return this.open < this.window.size && this.requests.size < this.link.maxRequests;
  }

  snubbed(now: number): boolean {
    return this.#snubbedUntil > now;
  }

  /**
   * What was asked for at `askedAt` did not come in time. True when the link is left alone from now on for a while. What
   * had been asked for before the last time is of the same silence.
   */
  wasSlow(askedAt: number, now: number): boolean {
    if (askedAt <= this.#slowAt) return false;
    this.#slowAt = now;
    this.#snubs += 1;
    if (this.#snubs < MAX_SNUBS) return false;
    this.#snubs = 0;
    this.#snubbedUntil = now + SNUBBED_MS;
    return true;
  }

  delivered(): void {
    this.#snubs = 0;
    this.promises.kept();
  }

  /** It is not reckoned with when a file is fetched together. */
  distrusted(now: number): boolean {
    return this.#distrustedUntil > now;
  }

  /** It did not take from the mirror what fell to it, or promised to and did not deliver. */
  brokeWord(how: 'passed' | 'stalled', now: number): void {
    this.#brokenWords += how === 'stalled' ? MAX_BROKEN_WORDS : 1;
    if (this.#brokenWords < MAX_BROKEN_WORDS) return;
    this.#brokenWords = 0;
    this.#distrustedUntil = now + this.#distrustMs;
    this.#distrustMs = Math.min(2 * this.#distrustMs, MAX_DISTRUST_MS);
  }

  keptWord(): void {
    this.#brokenWords = 0;
    this.#distrustMs = FIRST_DISTRUST_MS;
  }

  /** It has wanted the same as this machine at the same time lately, so it is likely to want the next file too. */
  get inStep(): boolean {
    return this.#steps > 0;
  }

  /** Both want a file, and the peer has said so within so many milliseconds; Infinity: it does not want it. */
  step(ms: number): void {
    this.#steps = ms <= IN_STEP_MS ? Math.min(this.#steps + 1, MAX_STEPS) : Math.max(this.#steps - 1, 0);
  }

  /** It wants files and does not say what it has and takes of them. */
  get mute(): boolean {
    return this.#unanswered >= MAX_UNANSWERED;
  }

  /** It does not answer, and nothing else comes from it: nobody waits for it until something does. */
  get absent(): boolean {
    return this.#attendance.absent(this.link.heardAt);
  }

  /** It is there, and what it says is believed: it is left a share of what machines fetch together. */
  isReckonedWith(now: number): boolean {
    return !this.absent && !this.distrusted(now);
  }

  /** An answer of it is missing. True when it is absent from now on. */
  missed(now: number): boolean {
    return this.#attendance.missing(now, this.link.heardAt);
  }

  /** An answer has taken so many milliseconds. */
  answerTook(ms: number): void {
    this.window.roundTrip(ms);
    this.#attendance.answered(ms);
  }

  answered(): void {
    this.#unanswered = Math.max(this.#unanswered - 1 / ANSWERS_FOR_SILENCE, 0);
  }

  gaveNoAnswer(): void {
    this.#unanswered += 1;
  }

  /** Notes that the link is to be asked for a file; `flush` sends it. */
  ask(want: Want, now: number): Seller {
    this.#attendance.asked(now, this.link.heardAt);
    const seller = new Seller(this, want, this.#nextFile++, now);
    this.#byFile.set(seller.file, seller);
    this.#wants.push({ file: seller.file, sha256: want.file.sha256, size: want.file.size });
    return seller;
  }

  /** The file is no longer wanted; its lease ends. */
  end(seller: Seller): void {
    if (!this.#byFile.delete(seller.file)) return;
    this.endLease(seller);
    const unsent = this.#wants.findIndex(({ file }) => file === seller.file);
    if (unsent >= 0) this.#wants.splice(unsent, 1);
    else this.#unwants.push(seller.file);
  }

  /** Sends what was noted and cannot wait: new wants, and that the peer has something of interest. */
  flush(): void {
    if (this.#wants.length > 0) {
      // In this order: the peer counts what is open.
      this.#sendUnwants();
      const wants = this.#wants.splice(0);
      for (let at = 0; at < wants.length; at += MAX_WANTS_PER_MESSAGE) {
        this.link.send({ type: 'want', files: wants.slice(at, at + MAX_WANTS_PER_MESSAGE) });
      }
    }
    if (!this.#interested && this.#isInteresting()) this.#interest(true);
  }

  /** Sends all that was noted. */
  flushAll(): void {
    this.#sendUnwants();
    this.flush();
    if (this.#interested && !this.#isInteresting()) this.#interest(false);
  }

  /** Who a message about a file number is about: `ended` for what is no longer wanted, undefined for what never was. */
  byFile(file: number): Seller | 'ended' | undefined {
    return this.#byFile.get(file) ?? (file >= 1 && file < this.#nextFile ? 'ended' : undefined);
  }

  /** Takes note of a lease, also of one that came too late. False when it overlaps one that is or was. */
  lease(seller: Seller | undefined, base: number, pieces: number): boolean {
    const end = base + pieces;
    const [free] = this.#used.missing(base, end);
    if (end > NUMBERS || free?.start !== base || free.end !== end) return false;
    this.#used.add(base, end);
    if (seller === undefined) return true;
    seller.base = base;
    this.#leases.splice(this.#position(base) + 1, 0, seller);
    return true;
  }

  endLease(seller: Seller): void {
    const at = this.#leases.indexOf(seller);
    if (at >= 0) this.#leases.splice(at, 1);
    seller.base = undefined;
  }

  byBase(base: number): Seller | undefined {
    const seller = this.#leases[this.#position(base)];
    return seller?.base === base ? seller : undefined;
  }

  /** Whose piece an index is. */
  byIndex(index: number): { seller: Seller; piece: number } | undefined {
    const seller = this.#leases[this.#position(index)];
    if (seller?.base === undefined || index >= seller.base + seller.want.pieces) return undefined;
    return { seller, piece: index - seller.base };
  }

  opened(request: Request): void {
    if (this.requests.size === 0) {
      this.window.began(request.askedAt);
      this.pace.began(request.askedAt);
    }
    this.requests.set(keyOf(request.ref), request);
    this.open += request.end - request.first;
    request.seller.open += 1;
  }

  /** The request that this answers, which is open no longer. */
  take(ref: BlockRef): Request | undefined {
    const key = keyOf(ref);
    const request = this.requests.get(key);
    if (request === undefined || request.ref.length !== ref.length) return undefined;
    this.requests.delete(key);
    this.open -= request.end - request.first;
    request.seller.open -= 1;
    return request;
  }

  #sendUnwants(): void {
    const unwants = this.#unwants.splice(0);
    for (let at = 0; at < unwants.length; at += MAX_LISTED) {
      this.link.send({ type: 'unwant', files: unwants.slice(at, at + MAX_LISTED) });
    }
  }

  #isInteresting(): boolean {
    return this.#leases.some(({ have }) => !have.isEmpty);
  }

  #interest(interested: boolean): void {
    this.#interested = interested;
    this.link.interest(interested);
  }

  /** Where the last lease is that begins at or before the index; -1 when there is none. */
  #position(index: number): number {
    let low = 0;
    let high = this.#leases.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#leases[middle]?.base ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function keyOf({ index, offset }: BlockRef): number {
  return index * BLOCKS_PER_PIECE + Math.floor(offset / BLOCK_BYTES);
}
