/** Which links take part in which torrents: the swarm actors and the transfers are told when that changes. */
import type { InfoHash } from '../../core/ids.ts';
import type { Link } from './link/link.ts';
import type { LinkCounts } from './protocol.ts';
import type { Swarms } from './swarms.ts';

export interface MembersDeps {
  readonly swarms: Swarms;
  /** Links for each torrent; told once for changes that come together. */
  changed(links: LinkCounts): void;
}

export class Members {
  readonly #deps: MembersDeps;
  readonly #torrents = new Map<Link, ReadonlySet<InfoHash>>();
  #telling = false;

  constructor(deps: MembersDeps) {
    this.#deps = deps;
  }

  /** The torrents in common with the peer of this link, now. */
  update(link: Link, common: readonly InfoHash[]): void {
    const { swarms } = this.#deps;
    const before = this.#torrents.get(link) ?? new Set();
    const after = new Set(common);
    this.#torrents.set(link, after);
    for (const id of before) if (!after.has(id)) swarms.ref(id)?.tell('left', link.peerId);
    for (const id of after) if (!before.has(id)) swarms.ref(id)?.tell('joined', link.peerId);
    this.#tellSoon();
  }

  closed(link: Link): void {
    this.update(link, []);
    this.#torrents.delete(link);
  }

  /** Links for each torrent, now. */
  get links(): LinkCounts {
    const counts: Record<InfoHash, number> = {};
    for (const ids of this.#torrents.values()) for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
    return counts;
  }

  #tellSoon(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.#deps.changed(this.links);
    });
  }
}
