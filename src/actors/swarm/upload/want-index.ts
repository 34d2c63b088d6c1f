/** All open wants of all peers, by file. */
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import type { Link } from '../link/link.ts';
import type { Want } from './peer.ts';

export class WantIndex {
  /** No set is empty. */
  readonly #bySha = new Map<Sha256, Set<Want>>();

  add(want: Want): void {
    const wants = this.#bySha.get(want.sha256);
    if (wants === undefined) this.#bySha.set(want.sha256, new Set([want]));
    else wants.add(want);
  }

  delete(want: Want): void {
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
