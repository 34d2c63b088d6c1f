/**
 * One link as downloads see it: the files that were asked of it, its leases, the requests that are open, how fast it is
 * and how reliable. Messages to it that belong together go out together.
 */
import { MAX_LISTED, MAX_OPEN_WANTS, MAX_WANTS_PER_MESSAGE, NUMBERS } from '../../../core/swarm/limits.ts';
import { LinkPace } from '../../../core/swarm/link-pace.ts';
import type { WantedEntry } from '../../../core/swarm/messages.ts';
import { BLOCK_BYTES } from '../../../core/swarm/pieces.ts';
import { BLOCKS_PER_PIECE } from '../../../core/swarm/picker.ts';
import { RequestWindow } from '../../../core/swarm/request-window.ts';
import type { BlockRef, Link } from '../link/link.ts';
import type { PeerKey } from '../protocol.ts';
import { Attendance } from './attendance.ts';
import { Hesitation } from './hesitation.ts';
import { Leases } from './leases.ts';
import { Promises } from './promises.ts';
import { Seller } from './seller.ts';
import { Standing } from './standing.ts';
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
export class Lane {
  readonly link: Link;
  readonly peer: PeerKey;
  readonly window = new RequestWindow();
  readonly hesitation = new Hesitation();
  readonly #pace = new LinkPace();
  readonly promises = new Promises();
  readonly #attendance = new Attendance();
  /** By index and offset. */
  readonly requests = new Map<number, Request>();
  /** Blocks in them. */
  open = 0;
  readonly leases = new Leases();
  readonly standing = new Standing();
  readonly #byFile = new Map<number, Seller>();
  #nextFile = 1;
  #wants: WantedEntry[] = [];
  #unwants: number[] = [];
  #interested = false;
  #snubs = 0;
  #slowAt = -Infinity;
  #snubbedUntil = 0;

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

  /** A block has come. True when how fast the link is has come to be known by that. */
  delivered(now: number, bytes: number): boolean {
    const before = this.pace(now);
    this.#pace.arrived(now, bytes);
    this.hesitation.delivered(now);
    this.#snubs = 0;
    this.promises.kept();
    return (before === undefined) !== (this.pace(now) === undefined);
  }

  /** Bytes a millisecond that it brings, as far as that is known; none where it was silent lately. */
  pace(now: number): number | undefined {
    return this.hesitation.at(now) ? 0 : this.#pace.at(now);
  }

  /** It does not answer, and nothing else comes from it: nobody waits for it until something does. */
  get absent(): boolean {
    return this.#attendance.absent(this.link.heardAt);
  }

  /** It is there, and what it says is believed: it is left a share of what machines fetch together. */
  isReckonedWith(now: number): boolean {
    return !this.absent && !this.standing.distrusted(now);
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
    this.leases.end(seller);
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
    if (!this.#interested && this.leases.areInteresting) this.#interest(true);
  }

  /** Sends all that was noted. */
  flushAll(): void {
    this.#sendUnwants();
    this.flush();
    if (this.#interested && !this.leases.areInteresting) this.#interest(false);
  }

  /** Who a message about a file number is about: `ended` for what is no longer wanted, undefined for what never was. */
  byFile(file: number): Seller | 'ended' | undefined {
    return this.#byFile.get(file) ?? (file >= 1 && file < this.#nextFile ? 'ended' : undefined);
  }

  opened(request: Request): void {
    if (this.requests.size === 0) {
      this.window.began(request.askedAt);
      this.#pace.began(request.askedAt);
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

  #interest(interested: boolean): void {
    this.#interested = interested;
    this.link.interest(interested);
  }
}

function keyOf({ index, offset }: BlockRef): number {
  return index * BLOCKS_PER_PIECE + Math.floor(offset / BLOCK_BYTES);
}
