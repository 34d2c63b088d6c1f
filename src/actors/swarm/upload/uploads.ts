/** What this machine gives to peers: answers to what they want, leases, and blocks. */
import { DebtorrentError } from '../../../core/errors.ts';
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import type { Bitmap } from '../../../core/swarm/bitmap.ts';
import { MAX_OPEN_REQUESTS, MIN_REQUEST_BYTES } from '../../../core/swarm/limits.ts';
import type { FileNumber, FilesMessage } from '../../../core/swarm/messages.ts';
import { MAX_REQUEST_BYTES, PIECE_BYTES, pieceLength } from '../../../core/swarm/pieces.ts';
import type { BlockRef, Link } from '../link/link.ts';
import { Choking } from './choking.ts';
import { FileHandles } from './file-handles.ts';
import { Peer, type Want } from './peer.ts';
import { Sender } from './sender.ts';
import type { SharedFile } from './shared-file.ts';
import { Trees } from './trees.ts';
import type { UploadsDeps } from './uploads-deps.ts';
import { Wants } from './wants.ts';

type UploadMessage = Extract<FilesMessage, { readonly type: 'want' | 'unwant' | 'tree-request' }>;

/** Wants of a peer are looked at anew at most this often, in milliseconds, however often its torrents change. */
const RECONSIDER_MS = 1_000;
/** Wants looked at in one go, and milliseconds until the next. */
const SLICE = 4_096;
const SLICE_MS = 100;
/** Tree requests of one peer that are not answered. */
const MAX_TREE_REQUESTS = 16;
const NO_ROOTS = new Uint8Array(0);

export class Uploads {
  readonly #deps: UploadsDeps;
  readonly #peers = new Map<Link, Peer>();
  readonly #wants: Wants;
  readonly #handles: FileHandles;
  readonly #sender: Sender;
  readonly #trees: Trees;
  readonly #choking: Choking;
  readonly #toReconsider = new Set<Peer>();
  #reconsiderTimer: { clear(): void } | undefined;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
    const { clock, limit, log } = deps;
    this.#handles = new FileHandles(clock, deps.inPlace);
    this.#sender = new Sender({
      clock,
      limit,
      handles: this.#handles,
      blocks: deps.blocks,
      failed: (file, error) => this.#fileFailed(file, error),
    });
    this.#trees = new Trees({ clock, log, pieceRoots: (path, size) => deps.pieceRoots(path, size) });
    this.#choking = new Choking({ clock, random: () => deps.random(), limited: limit.limited });
    this.#wants = new Wants({
      clock,
      log,
      limit,
      random: () => deps.random(),
      find: (sha256) => deps.find(sha256),
      check: (file) => deps.check(file),
      content: (sha256) => deps.content(sha256),
      pieceRoots: (path, size) => deps.pieceRoots(path, size),
      wantChanged: (link, sha256, wanting) => deps.wantChanged(link, sha256, wanting),
      ban: (link, fault) => deps.ban(link, fault),
      leaseEnded: ({ link }, { base, pieces }) =>
        this.#sender.reject(link, ({ block: { index } }) => index >= base && index < base + pieces),
    });
  }

  linkOpened(link: Link): void {
    this.#peers.set(link, new Peer(link));
    this.#choking.opened(link);
  }

  linkClosed(link: Link): void {
    const peer = this.#peers.get(link);
    if (peer === undefined) return;
    this.#peers.delete(link);
    peer.isGone = true;
    this.#toReconsider.delete(peer);
    this.#sender.drop(link);
    this.#choking.closed(link);
    this.#wants.left(peer);
  }

  /** The torrents in common have changed. */
  torrentsChanged(link: Link): void {
    const peer = this.#peers.get(link);
    if (peer !== undefined) this.#reconsider([peer]);
  }

  /** What may be shared has changed. */
  catalogueChanged(): void {
    this.#reconsider(this.#peers.values());
  }

  message(link: Link, message: UploadMessage): void {
    const peer = this.#peers.get(link);
    if (peer === undefined) return;
    if (message.type === 'want') this.#wants.opened(peer, message.files);
    else if (message.type === 'unwant') this.#wants.closed(peer, message.files);
    else this.#treeRequested(peer, message.file);
  }

  requested(link: Link, block: BlockRef): void {
    const peer = this.#peers.get(link);
    if (peer === undefined) return;
    const lease = peer.leases.at(block.index);
    if (lease === 'never') {
      const message = `asks for piece index ${block.index}, which it was never given`;
      this.#deps.ban(link, { kind: 'protocol', message });
      return;
    }
    const offered = lease === 'ended' ? undefined : lease.value.offered;
    if (lease === 'ended' || offered === undefined) return link.reject(block);
    const { shared } = offered;
    const piece = block.index - lease.base;
    const length = pieceLength(shared.size, piece);
    if (!isBlock(block, length)) {
      const message = `asks for bytes ${block.offset}+${block.length} of a piece of ${length}`;
      this.#deps.ban(link, { kind: 'protocol', message });
      return;
    }
    const isRefused = link.amChoking && !peer.small.has(block.index);
    if (isRefused || !shared.has(piece) || this.#sender.waiting(link) >= MAX_OPEN_REQUESTS) return link.reject(block);
    this.#sender.push(link, { block, file: shared, piece, start: piece * PIECE_BYTES + block.offset });
  }

  /** The peer has cancelled it, or was choked: what is cancelled in time is answered by a reject. */
  cancelled(link: Link, { index, offset, length }: BlockRef): void {
    this.#sender.reject(link, ({ block: b }) => b.index === index && b.offset === offset && b.length === length);
  }

  /** To be called when `link.peerInterested` has changed. */
  interested(link: Link): void {
    if (this.#peers.has(link)) this.#choking.interested(link);
  }

  drained(_link: Link): void {
    this.#sender.pump();
  }

  /** Which file a number of the peer's wants means; undefined when no such want is open. */
  wantOf(link: Link, file: FileNumber): Sha256 | undefined {
    return this.#peers.get(link)?.wants.get(file)?.sha256;
  }

  /** Links whose peer wants this file now, which is in a torrent that they have in common. */
  wantersOf(sha256: Sha256): readonly Link[] {
    return this.#wants.links(sha256);
  }

  /** Links whose peer is thought to be getting this file, or to have got it just now. */
  earlier(sha256: Sha256): ReadonlySet<Link> {
    return this.#wants.earlier(sha256);
  }

  /** Files that others want, by torrent. */
  wanted(): ReadonlyMap<InfoHash, number> {
    return this.#wants.counts();
  }

  /**
   * All pieces of a partial file that may be offered now: taken from the mirror by this machine, or agreed under a
   * tree. Offers the file, also without pieces, to all who wait for it. `pieces` is copied.
   */
  partial(sha256: Sha256, size: number, path: string, pieces: Bitmap): void {
    this.#wants.partial(sha256, size, path, pieces);
  }

  /** The file is verified and at `path`, and within 30 s at `finalPath`. Offers it to all who wait for it. */
  verified(sha256: Sha256, size: number, path: string, finalPath: string): void {
    this.#wants.verified(sha256, size, path, finalPath);
  }

  /** The file is no more, partial (failed or given up) or whole: leases of it are retracted. */
  forget(sha256: Sha256): void {
    this.#wants.forget(sha256);
  }

  stop(): Promise<void> {
    this.#reconsiderTimer?.clear();
    this.#wants.stop();
    this.#choking.stop();
    this.#trees.stop();
    this.#sender.stop();
    for (const link of [...this.#peers.keys()]) this.linkClosed(link);
    return this.#handles.closeAll();
  }

  #treeRequested(peer: Peer, file: FileNumber): void {
    const { link } = peer;
    const want: Want | undefined = peer.wants.get(file);
    const shared = want?.offered?.shared;
    if (shared === undefined || peer.treesPending >= MAX_TREE_REQUESTS) {
      return link.send({ type: 'tree', file, roots: NO_ROOTS });
    }
    peer.treesPending += 1;
    return this.#trees.request(shared, peer.treeBudget, (roots) => {
      peer.treesPending -= 1;
      if (want?.isOpen === true && this.#peers.has(link)) this.#sendTree(peer, file, roots);
    });
  }

  /** Roots are uploaded as blocks are, and a request of a few bytes gets up to 256,000 of them: not again and again. */
  #sendTree({ link, rootBudget }: Peer, file: FileNumber, roots: Uint8Array): void {
    const { clock, limit } = this.#deps;
    const isTooMuch = rootBudget.take(roots.length, clock.now()) > 0;
    if (!isTooMuch) limit.spend(roots.length, clock.now());
    link.send({ type: 'tree', file, roots: isTooMuch ? NO_ROOTS : roots });
  }

  #reconsider(peers: Iterable<Peer>): void {
    for (const peer of peers) this.#toReconsider.add(peer);
    if (this.#reconsiderTimer !== undefined) return;
    const { clock } = this.#deps;
    const now = clock.now();
    let left = SLICE;
    for (const peer of this.#toReconsider) {
      if (left <= 0) break;
      if (now - peer.reconsideredAt < RECONSIDER_MS) continue;
      this.#toReconsider.delete(peer);
      peer.reconsideredAt = now;
      left -= peer.wants.size;
      this.#wants.reconsider(peer);
    }
    if (this.#toReconsider.size === 0) return;
    this.#reconsiderTimer = clock.setTimeout(() => {
      this.#reconsiderTimer = undefined;
      this.#reconsider([]);
    }, SLICE_MS);
  }

  #fileFailed(file: SharedFile, error: Error): void {
    // Several reads of it may have been under way.
    if (file.isLost) return;
    const { sha256 } = file;
    const code = error instanceof DebtorrentError ? error.code : 'INTERNAL';
    this.#deps.log.warn({ sha256, code, reason: error.message }, 'a file cannot be read for peers any more');
    this.#wants.failed(file);
  }
}

/** The protocol's rule for requests: within the piece, at most 512 KiB, at least 16 KiB unless the piece ends. */
function isBlock({ offset, length }: BlockRef, pieceBytes: number): boolean {
  const end = offset + length;
  if (!(offset >= 0 && length >= 1 && length <= MAX_REQUEST_BYTES && end <= pieceBytes)) return false;
  return length >= MIN_REQUEST_BYTES || end === pieceBytes;
}
