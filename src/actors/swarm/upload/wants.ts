/**
 * Answers what peers want. A file is offered only if the catalogue knows it, with the size that the peer names, in a
 * torrent that the link has in common; everything else is answered exactly as what this machine does not have, before
 * anything is looked up, so that a peer cannot learn what else is here.
 */
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import { Bitmap } from '../../../core/swarm/bitmap.ts';
import type { Lease } from '../../../core/swarm/lease-table.ts';
import { MAX_OPEN_WANTS } from '../../../core/swarm/limits.ts';
import type { FileNumber, WantedEntry } from '../../../core/swarm/messages.ts';
import type { Link } from '../link/link.ts';
import { Holdings } from './holdings.ts';
import { LaterOffers } from './later-offers.ts';
import { LookUps } from './look-ups.ts';
import { Want, type Peer } from './peer.ts';
import type { SharedFile } from './shared-file.ts';
import type { UploadsDeps } from './uploads-deps.ts';
import { WantIndex } from './want-index.ts';

export interface WantsDeps extends Omit<UploadsDeps, 'blocks' | 'inPlace'> {
  /** The lease has ended: its open requests are to be rejected. */
  leaseEnded(peer: Peer, lease: Lease<Want>): void;
}

export class Wants {
  readonly #deps: WantsDeps;
  readonly #index = new WantIndex();
  readonly #holdings: Holdings;
  readonly #lookUps: LookUps;
  readonly #later: LaterOffers;

  constructor(deps: WantsDeps) {
    this.#deps = deps;
    const { clock, log } = deps;
    this.#holdings = new Holdings({
      clock,
      log,
      find: (sha256) => deps.find(sha256),
      check: (file) => deps.check(file),
      confirmed: (file) => this.#offerToAll(file),
      failed: (file) => this.failed(file),
    });
    this.#later = new LaterOffers(clock, (file) => {
      if (this.#holdings.known(file.sha256) === file) this.#offerToAll(file);
    });
    this.#lookUps = new LookUps({
      clock,
      holdings: this.#holdings,
      // What is in common may have changed meanwhile.
      found: (want, file) => (want.torrents.length > 0 ? this.#offer(want, file) : want.peer.none(want)),
    });
  }

  links(sha256: Sha256): readonly Link[] {
    return this.#index.links(sha256);
  }

  earlier(sha256: Sha256): ReadonlySet<Link> {
    return this.#index.earlier(sha256, this.#deps.clock.now());
  }

  counts(): ReadonlyMap<InfoHash, number> {
    return this.#index.count();
  }

  /** Bans the peer when there are too many, or one has the number of another. */
  opened(peer: Peer, files: readonly WantedEntry[]): void {
    const { ban, clock } = this.#deps;
    const { wants, link } = peer;
    if (wants.size + files.length > MAX_OPEN_WANTS || peer.wantBudget.take(files.length, clock.now()) > 0) {
      ban(link, { kind: 'flood', message: 'wants too many files' });
      return;
    }
    for (const entry of files) {
      if (wants.has(entry.file)) {
        ban(link, { kind: 'protocol', message: `wants two files as number ${entry.file}` });
        return;
      }
      // Its indexes may have run out on the way.
      if (peer.isGone) return;
      const want = new Want(peer, entry, clock.now());
      wants.set(entry.file, want);
      // A second offer of the same file would cost a have for each piece again. And who wants one file a thousand times
      // would have all of these looked through with each thing that happens to it.
      want.isSecond = peer.files.has(want.sha256);
      if (want.isSecond) {
        peer.none(want);
        continue;
      }
      peer.files.add(want.sha256);
      this.#index.add(want);
      this.#admit(want);
      this.#answer(want);
    }
    peer.flush();
  }

  /** Ends these wants; numbers of no open want are ignored. */
  closed(peer: Peer, files: Iterable<FileNumber>): void {
    for (const file of files) {
      const want = peer.wants.get(file);
      if (want === undefined) continue;
      // Still unanswered, it is not to be answered any more.
      want.answered = true;
      peer.wants.delete(file);
      peer.lookUps.delete(want);
      want.isOpen = false;
      if (want.isSecond) continue;
      peer.files.delete(want.sha256);
      this.#index.delete(want, this.#deps.clock.now());
      this.#endLease(want);
      this.#setTorrents(want, []);
    }
  }

  /** The peer's link has closed. */
  left(peer: Peer): void {
    this.closed(peer, [...peer.wants.keys()]);
    this.#index.forget(peer.link);
  }

  /** What is in common with the peer, or what the catalogue knows, may have changed. */
  reconsider(peer: Peer): void {
    for (const want of peer.wants.values()) {
      if (want.isSecond) continue;
      const before = want.torrents.length > 0;
      this.#admit(want);
      if (want.torrents.length === 0) this.#retract(want);
      else if (!before) this.#answer(want);
    }
    peer.flush();
  }

  partial(sha256: Sha256, size: number, path: string, offerable: Bitmap): void {
    const known = this.#holdings.isPartial(sha256);
    if (known?.size === size && known.locations(0)[0]?.path === path) {
      this.#announce(known, offerable);
      known.offerable = offerable.copy();
      this.#offerToAll(known);
      return;
    }
    this.forget(sha256);
    this.#offerToAll(this.#holdings.partial(sha256, size, path, offerable.copy()));
  }

  verified(sha256: Sha256, size: number, path: string, finalPath: string): void {
    const partial = this.#holdings.isPartial(sha256);
    if (partial?.size === size) this.#announce(partial, Bitmap.full(partial.pieces));
    else if (partial !== undefined) this.forget(sha256);
    const isPassedOn = partial?.isEmpty === true && partial.pieces === 1;
    const file = this.#holdings.verified(sha256, size, path, finalPath);
    if (isPassedOn) this.#later.add(file);
    else this.#offerToAll(file);
  }

  /** The file is not here any more, in any form. */
  forget(sha256: Sha256): void {
    this.#holdings.forget(sha256);
    for (const want of this.#index.of(sha256)) this.#retract(want);
  }

  /** This file cannot be read; a newer copy of the same content may be here. */
  failed(file: SharedFile): void {
    this.#holdings.lost(file);
    for (const want of this.#index.of(file.sha256)) if (want.offered?.shared === file) this.#retract(want);
  }

  stop(): void {
    this.#lookUps.stop();
    this.#later.stop();
  }

  #admit(want: Want): void {
    const { content } = this.#deps;
    const known = content(want.sha256);
    const { common } = want.peer.link;
    this.#setTorrents(want, known?.size === want.size ? known.torrents.filter((id) => common.includes(id)) : []);
  }

  #setTorrents(want: Want, torrents: readonly InfoHash[]): void {
    const before = want.torrents.length > 0;
    want.torrents = torrents;
    const after = torrents.length > 0;
    if (before !== after) this.#deps.wantChanged(want.peer.link, want.sha256, after);
  }

  /** Offers the file, says none, or asks the store first. */
  #answer(want: Want): void {
    const { peer } = want;
    if (want.torrents.length === 0 || want.isSpent) return peer.none(want);
    const known = this.#holdings.known(want.sha256);
    if (known === 'nothing' || known?.isEmpty === true) return peer.none(want);
    if (known !== undefined) return this.#offer(want, known);
    return this.#lookUps.ask(want);
  }

  #offer(want: Want, file: SharedFile): void {
    const { peer } = want;
    if (want.isSpent) return;
    if (file.size !== want.size) return peer.none(want);
    if (!peer.offer(want, file)) peer.link.close({ kind: 'closed', message: 'all piece indexes of the link are used' });
    return undefined;
  }

  /** To those that it was not offered to. */
  #offerToAll(file: SharedFile): void {
    if (file.isEmpty) return;
    for (const want of this.#index.of(file.sha256)) {
      // Sending to one of a peer's wants may have ended its link.
      if (want.isSpent || !want.isOpen) continue;
      this.#admit(want);
      if (want.torrents.length > 0) this.#offer(want, file);
    }
  }

  /** Tells those who were offered a partial file which pieces are new. */
  #announce(file: SharedFile, offerable: Bitmap): void {
    const fresh = [...offerable].filter((piece) => !file.has(piece));
    if (fresh.length === 0) return;
    for (const { offered, peer } of this.#index.of(file.sha256)) {
      if (offered?.shared !== file) continue;
      for (const piece of fresh) peer.link.have(offered.lease.base + piece);
    }
  }

  #retract(want: Want): void {
    const base = want.offered?.lease.base;
    if (base === undefined) return;
    want.peer.link.send({ type: 'retract', bases: [base] });
    this.#endLease(want);
  }

  #endLease(want: Want): Lease<Want> | undefined {
    const lease = want.peer.endLease(want);
    if (lease !== undefined) this.#deps.leaseEnded(want.peer, lease);
    return lease;
  }
}
