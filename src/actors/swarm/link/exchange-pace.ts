/** Peer exchange on one link (BEP 11), no oftener than it is good for. */
import type { PeerAddress } from '../../../core/swarm/peer-address.ts';
import { believedPeers } from '../../../core/swarm/peer-exchange.ts';
import { decodeExchange, encodeExchange } from './exchange-message.ts';

const SEND_MS = 60_000;
/** What comes more often than this is not read. */
const READ_MS = 30_000;

export class ExchangePace {
  #sentAt = -Infinity;
  #readAt = -Infinity;

  /** The payload to send; undefined within a minute of the last one. */
  tell(added: readonly PeerAddress[], now: number): Uint8Array | undefined {
    if (now - this.#sentAt < SEND_MS) return undefined;
    this.#sentAt = now;
    return encodeExchange(added);
  }

  /**
   * Addresses that are worth something, of what the peer at `sender` says.
   * @throws DebtorrentError PEER_PROTOCOL for malformed bencode
   */
  read(payload: Uint8Array, sender: string, now: number): PeerAddress[] {
    if (now - this.#readAt < READ_MS) return [];
    this.#readAt = now;
    return believedPeers(sender, decodeExchange(payload));
  }
}
