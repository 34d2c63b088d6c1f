/** Peers that were banned lately, for the status page. */
import type { Link } from './link/link.ts';
import type { PeerKey, PeersStatus } from './protocol.ts';

type Row = PeersStatus['peers'][number];

const MAX_ROWS = 50;

export class BannedList {
  readonly #rows = new Map<string, Row>();

  add(peer: PeerKey, link: Link | undefined): void {
    const key = `${peer.address} ${peer.peerId}`;
    const { name = peer.address, client = '', downBytes = 0, upBytes = 0 } = link ?? {};
    const before = this.#rows.get(key);
    this.#rows.delete(key);
    const row = { address: name, client, down_bytes: downBytes, up_bytes: upBytes, banned: true };
    this.#rows.set(key, link === undefined ? (before ?? row) : row);
    const [oldest] = this.#rows.keys();
    if (this.#rows.size > MAX_ROWS && oldest !== undefined) this.#rows.delete(oldest);
  }

  list(): Row[] {
    return [...this.#rows.values()];
  }
}
