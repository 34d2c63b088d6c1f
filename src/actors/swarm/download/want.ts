/** One file that this machine wants from peers: all that is known of it from `seek` until `over`. */
import type { Clock } from '../../../core/clock.ts';
import { RangeSet } from '../../../core/range-set.ts';
import { Bitmap } from '../../../core/swarm/bitmap.ts';
import { ContributionLog } from '../../../core/swarm/contribution-log.ts';
import { FetchingTogether } from '../../../core/swarm/fetching-together.ts';
import { pieceCount, pieceRange, piecesTouching } from '../../../core/swarm/pieces.ts';
import { Todo } from '../../../core/swarm/picker.ts';
import { TreeTrust } from '../../../core/swarm/tree-trust.ts';
import { weight } from '../../../core/swarm/weights.ts';
import type { JobId } from '../../source.ts';
import type { PeerKey, PeerView, WantedFile } from '../protocol.ts';
import type { FileWriter } from './file-writer.ts';
import type { Job } from './job.ts';
import type { Lane, Request } from './lane.ts';
import type { Seller } from './seller.ts';

/** A piece that is told only when its root is that of the agreed tree. */
export interface Guard {
  readonly job: Job;
  readonly written: RangeSet;
  check: Promise<void> | undefined;
}

/** A piece whose root was not that of the tree: either who sent it lied, or who told the tree. */
export interface Suspect {
  readonly piece: number;
  readonly root: Uint8Array;
  /** With a digest of each part where there were several senders. */
  readonly parts: readonly { start: number; end: number; writer: PeerKey; digest?: string }[];
}

/** What the transfers say of the mirror's part. */
export interface MirrorPart {
  readonly fetching: RangeSet;
  readonly have: RangeSet;
  /** When it was said first, and last. */
  readonly since: number;
  readonly at: number;
  /** Milliseconds for a piece. */
  readonly pace: number | undefined;
}

/** Nobody was asked. */
export const NOTHING: PeerView = { asked: 0, unanswered: false, wanters: 0, available: [], elsewhere: [] };
/** Different writers of one file, neighbours aside; more than a file of 8 GiB can have. */
const MAX_SHARES = 65_536;

export class Want {
  readonly file: WantedFile;
  readonly pieces: number;
  readonly openedAt: number;
  readonly sellers = new Map<Lane, Seller>();
  /** How often each peer was asked: it may come back on a new link, but not for ever. */
  readonly asked = new Map<string, number>();
  /** Soonest needed first. */
  readonly jobs = new Map<JobId, Job>();
  readonly todo: Todo;
  /** Who was asked for a block: one, in the end-game two. */
  readonly requests = new Map<number, Request[]>();
  /** What came from peers and was told. */
  readonly got = new RangeSet();
  readonly log = new ContributionLog<PeerKey>(MAX_SHARES);
  readonly trust: TreeTrust<PeerKey>;
  readonly guards = new Map<number, Guard>();
  readonly suspects: Suspect[] = [];
  readonly together: FetchingTogether;
  /** Links whose peers want the file too. */
  readonly wanters = new Set<Lane>();
  /** Those of them that broke their word in this file. */
  readonly wordBreakers = new Set<Lane>();
  mirror: MirrorPart | undefined;
  writer: FileWriter | undefined;
  /** Written by this and earlier writers, and not flushed yet, in bytes. */
  readonly unflushed = { bytes: 0 };
  /** The writer before this one is closing the file. */
  closing: Promise<void> | undefined;
  /** Pieces that some peer would send now. */
  available: Bitmap;
  view = NOTHING;
  /** Waits for the first answers. */
  seeking: ((view: PeerView) => void) | undefined;
  /** What others who want the file say of it is being waited for; has been. */
  hearing = false;
  heard = false;
  /** The transfers asked who sent what when all pieces had matched a tree: the file had been wrong all the same. */
  examined = false;
  /** Pieces that matched a tree and come from the mirror once more: they are thought to be wrong. */
  readonly refetched = new Set<number>();
  closed = false;
  readonly #timers = new Set<{ clear(): void }>();
  readonly #clock: Clock;

  constructor(file: WantedFile, ownPeerId: string, clock: Clock) {
    this.file = file;
    this.pieces = pieceCount(file.size);
    this.openedAt = clock.now();
    this.#clock = clock;
    this.available = new Bitmap(this.pieces);
    this.todo = new Todo(this.pieces);
    this.trust = new TreeTrust(this.pieces);
    this.together = new FetchingTogether({
      self: ownPeerId,
      pieces: this.pieces,
      weigh: (piece, peer) => weight(file.sha256, piece, peer),
    });
  }

  get small(): boolean {
    return this.pieces === 1;
  }

  range(piece: number): { start: number; end: number } {
    return pieceRange(this.file.size, piece);
  }

  /** Some job misses some of these bytes. */
  needs(start: number, end: number): boolean {
    for (const job of this.jobs.values()) if (job.needs(start, end)) return true;
    return false;
  }

  /** Jobs are kept in the order in which their bytes are needed. */
  addJob(job: Job): void {
    const order = ({ job: { start } }: Job) => (start - this.file.focus + this.file.size) % this.file.size;
    this.jobs.set(job.job.id, job);
    for (const [id, other] of [...this.jobs]) {
      if (order(other) <= order(job)) continue;
      this.jobs.delete(id);
      this.jobs.set(id, other);
    }
  }

  /** To be called when it is known what comes from the mirror now. */
  noteRefetched(): void {
    for (const range of this.mirror?.fetching.ranges ?? []) {
      const { first, end } = piecesTouching(this.file.size, range);
      for (let piece = first; piece < end; piece++) if (this.trust.hasMatched(piece)) this.refetched.add(piece);
    }
  }

  /** Calls back unless the want is over by then. */
  later(ms: number, callback: () => void): { clear(): void } {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, ms);
    this.#timers.add(timer);
    return {
      clear: () => {
        timer.clear();
        this.#timers.delete(timer);
      },
    };
  }

  clearTimers(): void {
    for (const timer of this.#timers) timer.clear();
    this.#timers.clear();
  }
}
