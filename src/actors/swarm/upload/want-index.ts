/** All open wants of all peers, by file. */
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import type { Link } from '../link/link.ts';
import { SEEK_MS } from '../protocol.ts';
import type { Want } from './peer.ts';

/** What peers wanted lately is remembered for this time, in milliseconds, and for so many files. */
const LATELY_MS = 2_000;
const MAX_LATELY = 1_024;

export class WantIndex {
  /** When the wants of each link ended lately, in milliseconds; the files whose last one ended longest ago first. */
  readonly #lately = new Map<Sha256, Map<Link, number>>();
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
   * Links whose peer came to the file earlier: it has wanted it for so long that it does not wait for peers any more, so
   * it is getting it, or has wanted it lately and does not any more, so it has it, as a rule.
   */
  earlier(sha256: Sha256, now: number): ReadonlySet<Link> {
    const links = new Set<Link>();
    for (const [link, at] of this.#lately.get(sha256) ?? []) if (now - at <= LATELY_MS) links.add(link);
    for (const { torrents, peer, openedAt } of this.#bySha.get(sha256) ?? []) {
      if (torrents.length > 0 && now - openedAt >= SEEK_MS) links.add(peer.link);
    }
    return links;
  }

  /** The link has closed, and its wants have ended. */
  forget(link: Link): void {
    for (const links of this.#lately.values()) links.delete(link);
  }

  #remember({ sha256, peer, torrents }: Want, now: number): void {
    if (torrents.length === 0) return;
    const links = this.#lately.get(sha256) ?? new Map<Link, number>();
    this.#lately.delete(sha256);
    this.#lately.set(sha256, links.set(peer.link, now));
    const [oldest] = this.#lately.keys();
    if (this.#lately.size > MAX_LATELY && oldest !== undefined) this.#lately.delete(oldest);
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
