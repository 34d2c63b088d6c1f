/** What one peer wants of this machine, and what it was given for that: its wants, and the leases that answer them. */
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import { LeaseTable, type Lease } from '../../../core/swarm/lease-table.ts';
import { MAX_LISTED } from '../../../core/swarm/limits.ts';
import type { FileNumber, WantedEntry } from '../../../core/swarm/messages.ts';
import { SmallLeases } from '../../../core/swarm/small-leases.ts';
import { TokenBucket } from '../../../core/swarm/token-bucket.ts';
import type { Link } from '../link/link.ts';
import type { SharedFile } from './shared-file.ts';

/** Wants that one peer may open: at once, and a second in the long run. Each costs a look into the catalogue. */
const WANTS = { rate: 4_096, burst: 16_384 };
/** Bytes that one peer may have hashed for trees: a large file, or a few, and then slowly. */
const TREES = { rate: 32 * 1024 * 1024, burst: 8 * 1024 ** 3 };
/** Bytes of trees that are sent to it. A file has a 32,768th of its size, so these are for 32 GiB, and 2 GiB a second. */
const ROOTS = { rate: 64 * 1024, burst: 1024 * 1024 };

export class Want {
  readonly peer: Peer;
  readonly file: FileNumber;
  readonly sha256: Sha256;
  readonly size: number;
  /** Torrents in common that contain the file. While there are none it is as if this machine had never heard of it. */
  torrents: readonly InfoHash[] = [];
  isOpen = true;
  /** Milliseconds. */
  readonly openedAt: number;
  /** Milliseconds; when the store was, or was to be, asked. */
  askedAt = 0;
  /** Offer or none has been sent, or is about to be. */
  answered = false;
  /** There is one offer for each want: it has been made. */
  isSpent = false;
  /** The peer wants the file already: this want is none, and nobody looks at it again. */
  isSecond = false;
  offered: { readonly shared: SharedFile; readonly lease: Lease<Want> } | undefined;

  constructor(peer: Peer, { file, sha256, size }: WantedEntry, now: number) {
    this.peer = peer;
    this.file = file;
    this.sha256 = sha256;
    this.size = size;
    this.openedAt = now;
  }
}

export class Peer {
  readonly link: Link;
  readonly wants = new Map<FileNumber, Want>();
  /** The files of those that are no second ones. */
  readonly files = new Set<Sha256>();
  readonly leases = new LeaseTable<Want>();
  readonly small = new SmallLeases();
  readonly wantBudget = new TokenBucket(WANTS);
  readonly treeBudget = new TokenBucket(TREES);
  readonly rootBudget = new TokenBucket(ROOTS);
  /** Wants whose files the store is asked for, when it is their turn. */
  readonly lookUps = new Set<Want>();
  lookingUp = 0;
  treesPending = 0;
  /** When its wants were last looked at anew. */
  reconsideredAt = -Infinity;
  /** The link has closed: nothing is sent. */
  isGone = false;
  /** Answers that are not sent yet. */
  readonly #nones = new Set<FileNumber>();

  constructor(link: Link) {
    this.link = link;
  }

  /** False when the link's piece indexes are used up. */
  offer(want: Want, shared: SharedFile): boolean {
    const lease = this.leases.open(shared.pieces, want);
    if (lease === undefined) return false;
    want.answered = true;
    want.isSpent = true;
    want.offered = { shared, lease };
    this.#nones.delete(want.file);
    const { base, pieces } = lease;
    const offer = { type: 'offer', file: want.file, base, pieces } as const;
    this.link.send(shared.offerable === undefined ? offer : { ...offer, have: shared.offerable.toBytes() });
    if (pieces === 1 && this.small.add(base)) this.link.allowFast(base);
    return true;
  }

  /** Ends the lease of a want. Its open requests are to be rejected by the caller. */
  endLease(want: Want): Lease<Want> | undefined {
    const lease = want.offered?.lease;
    if (lease === undefined) return undefined;
    want.offered = undefined;
    this.leases.end(lease);
    if (lease.pieces === 1 && !this.isGone) {
      const { was, next } = this.small.remove(lease.base);
      if (was) this.link.disallowFast(lease.base);
      if (next !== undefined) this.link.allowFast(next);
    }
    return lease;
  }

  /** Answers a want that has not been answered; sent with `flush`. */
  none(want: Want): void {
    if (want.answered) return;
    want.answered = true;
    this.#nones.add(want.file);
    if (this.#nones.size >= MAX_LISTED) this.flush();
  }

  flush(): void {
    if (this.#nones.size === 0 || this.isGone) return;
    this.link.send({ type: 'none', files: [...this.#nones] });
    this.#nones.clear();
  }
}
