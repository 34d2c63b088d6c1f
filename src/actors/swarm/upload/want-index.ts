/** All open wants of all peers, by file. */
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import type { Link } from '../link/link.ts';
import type { Want } from './peer.ts';

/** Who has wanted a file for so long has begun with it, in milliseconds: all may be asked before a mirror is. */
const BEGUN_MS = 50;
/** What peers wanted lately is remembered for this time, in milliseconds, and for so many files. */
const LATELY_MS = 2_000;
const MAX_LATELY = 1_024;

export class WantIndex {
  /** Files that peers wanted until a moment ago, the oldest first. */
  readonly #lately = new Map<Sha256, { readonly at: number; readonly links: Set<Link> }>();
  /** No set is empty. */
  readonly #bySha = new Map<Sha256, Set<Want>>();

  add(want: Want): void {
    const wants = this.#bySha.get(want.sha256);
    if (wants === undefined) this.#bySha.set(want.sha256, new Set([want]));
    else wants.add(want);
  }

  delete(want: Want, now: number): void {
    this.#remember(want, now);
    const wants = this.#bySha.get(want.sha256);
    if (wants?.delete(want) === true && wants.size === 0) this.#bySha.delete(want.sha256);
  }

  of(sha256: Sha256): readonly Want[] {
    return [...(this.#bySha.get(sha256) ?? [])];
  }

  /** Links whose peer wants the file, which they have a torrent in common for. */
  links(sha256: Sha256): readonly Link[] {
    const links = new Set<Link>();
    for (const { torrents, peer } of this.#bySha.get(sha256) ?? []) if (torrents.length > 0) links.add(peer.link);
    return [...links];
  }

  /**
   * Links whose peer came to the file earlier: it has wanted it for a while, so it is getting it, or has wanted it lately
   * and does not any more, so it has it, as a rule.
   */
  earlier(sha256: Sha256, now: number): ReadonlySet<Link> {
    const ended = this.#lately.get(sha256);
    const links = new Set(ended === undefined || now - ended.at > LATELY_MS ? [] : ended.links);
    for (const { torrents, peer, openedAt } of this.#bySha.get(sha256) ?? []) {
      if (torrents.length > 0 && now - openedAt >= BEGUN_MS) links.add(peer.link);
    }
    return links;
  }

  #remember({ sha256, peer, torrents }: Want, now: number): void {
    if (torrents.length === 0 || peer.isGone) return;
    const links = this.#lately.get(sha256)?.links ?? new Set<Link>();
    this.#lately.delete(sha256);
    this.#lately.set(sha256, { at: now, links: links.add(peer.link) });
    for (const [oldest, { at }] of this.#lately) {
      if (this.#lately.size <= MAX_LATELY && now - at <= LATELY_MS) return;
      this.#lately.delete(oldest);
    }
  }

  /** Files that peers want, by torrent in common. */
  count(): Map<InfoHash, number> {
    const counts = new Map<InfoHash, number>();
    for (const wants of this.#bySha.values()) {
      const torrents = new Set([...wants].flatMap((want) => want.torrents));
      for (const torrent of torrents) counts.set(torrent, (counts.get(torrent) ?? 0) + 1);
    }
    return counts;
  }
}
