/**
 * The actor of one torrent: who of its peers is linked, what is wanted in it, and where more of them were found. Links
 * belong to pairs of peers, not to torrents, so the actor asks the directory of links to dial and is told what became
 * of it.
 */
import type { InfoHash } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { DialAddress } from '../../core/swarm/dial-book.ts';
import type { Behaviour } from '../../kernel/protocol.ts';

export interface SwarmStatus {
  readonly peers: number;
  /** Files of this torrent that peers want from this machine, or it from them. */
  readonly wanted: number;
}

export interface SwarmProtocol {
  /** Addresses of peers that take part; `via` says how they were found, for the log. */
  found(addresses: readonly DialAddress[], via: string): void;
  /** The peer of this link takes part in the torrent, or no longer. */
  joined(peerId: string): void;
  left(peerId: string): void;
  wanted(files: number): void;
  status(): SwarmStatus;
}

export interface SwarmDeps {
  readonly torrent: InfoHash;
  /** Notes addresses to dial for this torrent. */
  dial(addresses: readonly DialAddress[], fixed: boolean): void;
  readonly log: Logger;
}

export function createSwarm({ torrent, dial, log }: SwarmDeps): Behaviour<SwarmProtocol> {
  const peers = new Set<string>();
  const heard = new Set<string>();
  let wanted = 0;
  return {
    found(addresses, via) {
      if (addresses.length === 0) return;
      if (!heard.has(via)) {
        heard.add(via);
        log.debug({ torrent, via, addresses: addresses.length }, 'peers found');
      }
      dial(addresses, via === 'fixed');
    },
    joined(peerId) {
      peers.add(peerId);
    },
    left(peerId) {
      peers.delete(peerId);
    },
    wanted(files) {
      wanted = files;
    },
    status: () => ({ peers: peers.size, wanted }),
  };
}
