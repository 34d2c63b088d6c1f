/**
 * The bytes of one transfer: its partial file in the store, which ranges are there, and what is known of the whole.
 * `epoch` changes whenever bytes that somebody may have read are thrown away.
 */
import { closeSync, openSync } from 'node:fs';

import type { Clock } from '../../core/clock.ts';
import { storeError } from '../../core/errors.ts';
import { transferKey, type FetchPlan, type Identity } from '../../core/fetch-plan.ts';
import type { ReadyMark } from '../../core/ready-mark.ts';
import { SMALL_FILE_BYTES } from '../../core/job-size.ts';
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import type { Sha256, TransferKey } from '../../core/ids.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { StoredFile, StoreProtocol } from '../store/protocol.ts';
import { FrontierHash, hashNow } from './frontier-hash.ts';
import { HashAlong } from './hash-along.ts';
import { intersect } from './source-plan.ts';

/** Bytes at the end of a file that wait for its hash. */
export const LAST_BLOCK_BYTES = 16 * 1024;
const CHECKPOINT_BYTES = 16 * 1024 * 1024;
const COMMIT_MS = 60_000;
/** Files up to this size from several sources are hashed at once: handing them over takes longer. */
const HASH_NOW_BYTES = 256 * 1024;

export interface ContentDeps {
  readonly store: ActorRef<StoreProtocol>;
  sha256(path: string, size: number): Promise<Sha256>;
  sha256Along(path: string, size: number, mark: ReadyMark): Promise<Sha256 | undefined>;
  readonly clock: Clock;
  /** Bytes that may have been given out are void: whoever has them must not be given the rest alone. */
  spoilt(file: Identity): void;
}

/** Hashes a file while it arrives. */
interface Follower {
  /** Bytes before `end` will not change any more; `bytes` have come in all. */
  advance(end: number, bytes: number): void;
  /** The hash of all `size` bytes, which are there; undefined when it is to be begun anew. It is used up then. */
  finish(size: number): Promise<Sha256 | undefined>;
  close(): void;
}

export class Content {
  readonly #deps: ContentDeps;
  readonly #identity: Identity;
  readonly #key: TransferKey;
  /** The hash is known in advance: partial content can be resumed, and its last block has to wait. */
  readonly #expected: Sha256 | undefined;
  /** Bytes as the plan has them. */
  readonly #planned: number | undefined;
  #path = '';
  #growing = false;
  /** `path` is a partial file of this transfer, not a finished one of the store. */
  #opened = false;
  #have = new RangeSet();
  #uncheckpointed = 0;
  /** SHA-256 of the whole, when one source delivered it in one go and hashed it on the way. */
  wholeSha256: Sha256 | undefined;
  /** Bytes of the whole; undefined as long as nobody has said. */
  size: number | undefined;
  epoch = 0;
  /** Some of the bytes are from an earlier transfer. */
  resumed = false;
  /** What an earlier transfer left was given out by that one. */
  #givenEarlier = false;
  /** Peers were asked for some of it, so that what one source hashed on the way says nothing. */
  mixed = false;
  /** Two sources write to these bytes: they may still change, and are not given out. */
  hold: ByteRange | undefined;
  /** What readers were told that they may read, in this epoch. */
  readonly released = new RangeSet();
  #follower: Follower | undefined;
  /** What is on the disk cannot be read: whoever resumes it would fail in the same place. */
  #unreadable = false;

  constructor(deps: ContentDeps, plan: Pick<FetchPlan, 'sha256' | 'size' | 'url'>) {
    this.#deps = deps;
    this.#identity = plan;
    this.#key = transferKey(plan);
    this.#expected = plan.sha256;
    this.#planned = plan.size;
    this.size = plan.size;
  }

  /** Empty until `open` or `adopt`. */
  get path(): string {
    return this.#path;
  }

  /** The same, for somebody who opens it now: the file of small content is made when its bytes are written. */
  readable(): string {
    try {
      if (this.#opened) closeSync(openSync(this.#path, 'a', 0o600));
    } catch {
      // Whoever writes to it fails as well, and says why.
    }
    return this.#path;
  }

  get have(): RangeSet {
    return this.#have;
  }

  get complete(): boolean {
    return this.size !== undefined && this.#have.covers(0, this.size);
  }

  /** Opens the partial file, with what is left of an earlier transfer if `resume`; else it is empty. */
  async open(resume: boolean): Promise<void> {
    const partial = await this.#deps.store.ask('openPartial', this.#key, this.size, resume);
    this.#opened = true;
    this.#path = partial.path;
    this.#have = RangeSet.from(partial.ranges);
    this.resumed = this.#have.bytes > 0;
    this.#givenEarlier = this.resumed;
  }

  /** Room is being made. Nobody is given a byte until it is there: without it all can still come past the store. */
  get growing(): boolean {
    return this.#growing;
  }

  /** Has room made for what only its answer said the size of; `done` is called if that was needed. Rejects with STORE_FULL. */
  async grow(done: () => void): Promise<void> {
    if (this.#planned !== undefined || this.size === undefined || this.size <= SMALL_FILE_BYTES) return;
    this.#growing = true;
    await this.#deps.store.ask('growPartial', this.#key, this.size);
    this.#growing = false;
    done();
  }

  /** Takes a finished file of the store whose hash is to be checked again. */
  adopt(file: StoredFile): void {
    this.#path = file.path;
    this.size = file.size;
    this.#have.add(0, file.size);
  }

  wrote(start: number, end: number): void {
    this.#have.add(start, end);
    this.#uncheckpointed += end - start;
    if (this.#expected === undefined || this.#uncheckpointed < CHECKPOINT_BYTES) return;
    this.#uncheckpointed = 0;
    this.#deps.store.tell('checkpoint', this.#key, this.#have.toJSON());
  }

  /** Forgets all bytes, and a size that only they had. The file itself is emptied by `open(false)`. */
  restart(): void {
    this.newEpoch();
    this.#have = new RangeSet();
    this.wholeSha256 = undefined;
    this.resumed = false;
    this.mixed = false;
    this.hold = undefined;
    this.size = this.#planned;
    this.#unfollow();
  }

  /** What was given out so far is void. */
  newEpoch(): void {
    this.epoch += 1;
    if (this.given) this.#deps.spoilt(this.#identity);
    this.released.remove(0, Number.MAX_SAFE_INTEGER);
    this.#givenEarlier = false;
  }

  /** Somebody may have some of what is, or was, there. */
  get given(): boolean {
    return this.#givenEarlier || this.released.bytes > 0;
  }

  /** Somebody may have what was there of these bytes. */
  gave(ranges: readonly ByteRange[]): boolean {
    return ranges.length > 0 && (this.#givenEarlier || intersect(ranges, this.released.ranges).length > 0);
  }

  /** These bytes have to come again, over what is there. */
  dispute(ranges: readonly ByteRange[]): void {
    for (const { start, end } of ranges) this.#have.remove(start, end);
    this.#unfollow();
  }

  /** All bytes have to come again, over what is there. */
  setAside(): void {
    this.dispute(this.#have.ranges);
    this.resumed = false;
  }

  /**
   * Hashes what has come in order while the rest is on its way. What peers bring in this thread, which has little else to
   * do then, and from the processor's cache; what mirrors bring in the pool, as this thread reads it from them.
   */
  follow(who: 'peers' | 'mirrors'): void {
    if (this.#expected === undefined || this.size === undefined || this.size <= HASH_NOW_BYTES) return;
    this.#follower ??= who === 'peers' ? new FrontierHash(this.#path) : this.#along(this.size);
    this.#follower.advance(this.#settledEnd(0), this.#have.bytes);
  }

  /** End of what a reader at `position` may have now. */
  available(position: number): number {
    const end = this.#settledEnd(position);
    if (this.#expected === undefined) return end;
    // Where the end is not known any block may be the last.
    const last = this.size === undefined ? end : this.size;
    return Math.max(position, Math.min(end, last - LAST_BLOCK_BYTES));
  }

  /** SHA-256 of the whole file as it is on disk. Rejects with STORE_IO when the disk cannot read it: it is not kept then. */
  async hash(size: number): Promise<Sha256> {
    try {
      return await this.#hash(size);
    } catch (error) {
      const failure = storeError(error);
      this.#unreadable = failure.code === 'STORE_IO';
      throw failure;
    }
  }

  async #hash(size: number): Promise<Sha256> {
    if (this.wholeSha256 !== undefined && !this.mixed) {
      this.#unfollow();
      return this.wholeSha256;
    }
    if (this.mixed && size <= HASH_NOW_BYTES) return hashNow(this.#path, size);
    const followed = await this.#follower?.finish(size);
    this.#follower = undefined;
    return followed ?? this.#deps.sha256(this.#path, size);
  }

  async commit(sha256: Sha256, size: number, lastModified: string | undefined): Promise<StoredFile> {
    return this.#deps.store.within(COMMIT_MS).ask('commit', this.#key, sha256, size, lastModified);
  }

  /** Removes the partial file, if there is one. */
  discard(): void {
    if (this.#opened) this.#deps.store.tell('discardPartial', this.#key);
  }

  /** Leaves what can be resumed and removes the rest. */
  park(): void {
    this.#unfollow();
    if (!this.#opened) return;
    if (this.#expected === undefined || this.#have.bytes === 0 || this.#unreadable) this.discard();
    else this.#deps.store.tell('parkPartial', this.#key, this.#have.toJSON());
  }

  /** End of what follows `position` without a gap and will not change any more. */
  #settledEnd(position: number): number {
    const end = this.#have.contiguousEnd(position);
    if (this.hold === undefined || position >= this.hold.end) return end;
    return Math.max(position, Math.min(end, this.hold.start));
  }

  #along(size: number): Follower {
    const { clock, sha256Along: along } = this.#deps;
    return new HashAlong({ path: this.#path, size, along, now: clock.now });
  }

  #unfollow(): void {
    this.#follower?.close();
    this.#follower = undefined;
  }
}
