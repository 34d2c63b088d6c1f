/** The part of bittorrent-tracker's server that is used here; the package ships no types. */
declare module 'bittorrent-tracker/server' {
  import type { RemoteInfo, Socket } from 'node:dgram';
  import type { EventEmitter } from 'node:events';

  export interface Options {
    readonly http: false;
    readonly udp: false;
    readonly ws: false;
    readonly stats: false;
    /** Milliseconds; what clients are told. */
    readonly interval: number;
    /** Peers in one swarm. */
    readonly peersCacheLength: number;
    /** Milliseconds after which a silent peer is forgotten. */
    readonly peersCacheTtl: number;
  }

  export interface Swarm {
    readonly peers: { readonly length: number };
  }

  export interface AnnounceAnswer {
    /** Seconds. */
    interval: number;
    readonly complete: number;
    readonly incomplete: number;
    peers: Uint8Array;
    readonly peers6: Uint8Array;
  }

  export type Done<T> = (error: Error | null, value?: T) => void;

  export default class Server extends EventEmitter {
    constructor(options: Options);
    /** By info-hash, 40 hexadecimal digits. */
    readonly torrents: Record<string, Swarm>;
    udp4: Socket | null;
    udp6: Socket | null;
    destroyed: boolean;
    createSwarm(infoHash: string, done: Done<Swarm>): void;
    getSwarm(infoHash: string, done: Done<Swarm>): void;
    _onAnnounce(params: { readonly type: string; readonly ip: string }, done: Done<AnnounceAnswer>): void;
    onHttpRequest(
      request: {
        readonly url: string;
        readonly headers: object;
        readonly connection: { readonly remoteAddress: string };
      },
      response: { end(answer: Uint8Array): unknown },
    ): void;
    onUdpRequest(datagram: Buffer, from: RemoteInfo): void;
  }
}
