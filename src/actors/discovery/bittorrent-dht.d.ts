/** The part of bittorrent-dht that is used here; the package ships no types. */
declare module 'bittorrent-dht' {
  import type { EventEmitter } from 'node:events';

  export interface Contact {
    readonly host?: string;
    readonly address?: string;
    readonly port: number;
  }

  export interface Options {
    /** What takes the place of its UDP socket. */
    readonly socket: EventEmitter;
    readonly bootstrap: readonly { readonly host: string; readonly port: number }[] | false;
    readonly maxTables: number;
    readonly maxValues: number;
    readonly maxPeers: number;
    /** Milliseconds that an announced peer is kept. */
    readonly maxAge: number;
  }

  export class Client extends EventEmitter {
    constructor(options: Options);
    readonly nodes: { count(): number };
    listen(): void;
    lookup(infoHash: string, done: (error: Error | null, nodes?: number) => void): () => void;
    announce(infoHash: string, port: number, done: (error: Error | null) => void): void;
    destroy(done: () => void): void;
  }
}
