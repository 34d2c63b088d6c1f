/** Which torrents both ends of a link have, as the lists of either side change. */
import type { InfoHash } from '../../../core/ids.ts';
import { blindedList, commonTorrents, type LinkEnds } from '../../../core/swarm/blind.ts';

export class SharedTorrents {
  readonly #ends: LinkEnds;
  #own: readonly InfoHash[];
  #theirs: Uint8Array;
  #common: readonly InfoHash[];

  constructor(ends: LinkEnds, own: readonly InfoHash[], theirs: Uint8Array) {
    this.#ends = ends;
    this.#own = own;
    this.#theirs = theirs;
    this.#common = commonTorrents(ends, own, theirs);
  }

  get common(): readonly InfoHash[] {
    return this.#common;
  }

  /** The list to send. */
  get blinded(): Uint8Array {
    return blindedList(this.#ends, this.#own);
  }

  /** True when what is common has changed. */
  update({ own = this.#own, theirs = this.#theirs }: { own?: readonly InfoHash[]; theirs?: Uint8Array }): boolean {
    this.#own = own;
    this.#theirs = theirs;
    const before = this.#common;
    this.#common = commonTorrents(this.#ends, own, theirs);
    return before.length !== this.#common.length || before.some((id, at) => id !== this.#common[at]);
  }
}
