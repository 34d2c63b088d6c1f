/** Which torrents both ends of a link have, as the lists of either side change. */
import type { InfoHash } from '../ids.ts';
import { blindId, listedIds, listedTorrents, type LinkEnds } from './blind.ts';

export class SharedTorrents {
  readonly #ends: LinkEnds;
  /** Blinded ids of this side's torrents, ascending by torrent: hashed once, however often either list changes. */
  #own: ReadonlyMap<InfoHash, string> = new Map();
  #theirs: ReadonlySet<string>;
  #common: readonly InfoHash[];

  constructor(ends: LinkEnds, own: readonly InfoHash[], theirs: Uint8Array) {
    this.#ends = ends;
    this.#own = this.#blind(own);
    this.#theirs = listedIds(theirs);
    this.#common = this.#both();
  }

  get common(): readonly InfoHash[] {
    return this.#common;
  }

  /** The list to send; ascending, so that the order says nothing. */
  get blinded(): Uint8Array {
    return Buffer.from([...this.#own.values()].toSorted().join(''), 'hex');
  }

  /** True when what is common has changed. */
  update({ own, theirs }: { own?: readonly InfoHash[]; theirs?: Uint8Array }): boolean {
    if (own !== undefined) this.#own = this.#blind(own);
    if (theirs !== undefined) this.#theirs = listedIds(theirs);
    const before = this.#common;
    this.#common = this.#both();
    return before.length !== this.#common.length || before.some((id, at) => id !== this.#common[at]);
  }

  #blind(own: readonly InfoHash[]): Map<InfoHash, string> {
    const known = this.#own;
    const id = (torrent: InfoHash) => known.get(torrent) ?? blindId(this.#ends, torrent).toString('hex');
    return new Map(listedTorrents(own).map((torrent) => [torrent, id(torrent)]));
  }

  #both(): InfoHash[] {
    return [...this.#own].flatMap(([torrent, id]) => (this.#theirs.has(id) ? [torrent] : []));
  }
}
