/**
 * One link to one peer, as the swarm sees it: typed messages that have been checked, bounded in length and number. How
 * they travel (wire, socket, TLS) is behind it.
 */
import type { FilesMessage } from '../../../core/swarm/messages.ts';
import type { InfoHash } from '../../../core/ids.ts';

/** Why a link ended or a peer is banned: one line for the log, with a stable word in front. */
export interface LinkFault {
  readonly kind:
    | 'closed'
    | 'timeout'
    /** Speaks BitTorrent, and has not introduced itself as a peer of this protocol. */
    | 'stranger'
    | 'protocol'
    | 'flood'
    | 'duplicate'
    | 'banned'
    | 'wrong-bytes'
    | 'stopping';
  readonly message: string;
}

/** A block of a leased piece: offset and length in bytes within the piece. */
export interface BlockRef {
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}

/** How long the answer to a request may take. */
export interface AnswerTime {
  readonly ms: number;
  /** From the peer's last block, if that came after the request, and no longer than 60 s in all. */
  readonly since: 'request' | 'last-block';
}

/** Called in the order in which things happen; never before `Link` is complete (handshakes done). */
export interface LinkHandler {
  message(message: FilesMessage): void;
  /** A have for a leased index; of this link's leases or not: the handler checks. */
  have(index: number): void;
  /**
   * Only ever the answer to a request of ours that was not cancelled. `data` is valid until the handler
   * returns, and longer for who keeps it by `BlockPool.keep`.
   */
  block(block: BlockRef, data: Buffer): void;
  /** A request of ours was rejected, or choked away. */
  rejected(block: BlockRef): void;
  /** No answer came in time; the request has been cancelled. */
  timedOut(block: BlockRef): void;
  /** The peer asks for a block: at most 512 KiB, at most REQQ such requests open. Answer each with piece or reject. */
  requested(block: BlockRef): void;
  /** The request is over and rejected: the peer has cancelled it, or was choked. */
  cancelled(block: BlockRef): void;
  choked(choked: boolean): void;
  interested(interested: boolean): void;
  allowedFast(index: number): void;
  /** The socket takes bytes again after `writable` was false. */
  drained(): void;
  /** Torrents that both ends have, now. */
  torrents(common: readonly InfoHash[]): void;
  /** Addresses of other peers that the peer knows (BEP 11). */
  exchanged(addresses: readonly { readonly host: string; readonly port: number }[]): void;
  closed(fault: LinkFault): void;
}

export interface Link {
  /** 40 hexadecimal digits. */
  readonly peerId: string;
  /** IP address without port. */
  readonly address: string;
  /** For people: address and port of the socket. */
  readonly name: string;
  /** Where the peer can be dialled, when it says so. */
  readonly listenPort: number | undefined;
  readonly client: string;
  readonly common: readonly InfoHash[];
  readonly openedAt: number;
  /** When the last byte came. */
  readonly heardAt: number;
  /** Bytes of blocks. */
  readonly downBytes: number;
  readonly upBytes: number;
  readonly peerChoking: boolean;
  readonly amChoking: boolean;
  readonly peerInterested: boolean;
  /** Blocks asked for and not answered. */
  readonly outstanding: number;
  /** Requests that may be open at once: the peer takes no more. */
  readonly maxRequests: number;
  /** False while the socket has more to send than it should hold. */
  readonly writable: boolean;
  send(message: FilesMessage): void;
  have(index: number): void;
  /**
   * False when it cannot be asked now: choked and not allowed fast, too many outstanding, asked already, or closed.
   * Without `time` the request times out 10 s after the peer's last block.
   */
  request(block: BlockRef, time?: AnswerTime): boolean;
  cancel(block: BlockRef): void;
  /**
   * Nothing is sent when the request is not open any more. `data` is not copied: it must not change before `done`, which
   * is called at once when nothing is sent, and may never be when the link ends meanwhile. Look at `writable` first: a
   * link to which far too much is given ends as a flood.
   */
  piece(block: BlockRef, data: Uint8Array, done?: () => void): void;
  reject(block: BlockRef): void;
  /** Beyond 64 nothing happens. */
  allowFast(index: number): void;
  /** Frees an index that was allowed fast. */
  disallowFast(index: number): void;
  /**
   * Choking rejects the open requests, allowed-fast indexes aside, after the choke; the handler hears `cancelled` for each.
   */
  choke(choking: boolean): void;
  interest(interested: boolean): void;
  /** Addresses of other peers (BEP 11): the first 50; nothing is sent within a minute of the last time. */
  sendPeers(added: readonly { readonly host: string; readonly port: number }[]): void;
  /** Reading from the socket stops and goes on: backpressure on what the peer sends. */
  pause(): void;
  resume(): void;
  close(fault: LinkFault): void;
}
