/** What the configuration says of peers. */
export interface PeerEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface PeersSettings {
  /** Name and version that peers are told. */
  readonly client: string;
  readonly cacheDir: string;
  readonly listen: PeerEndpoint;
  /** Of a private swarm, 32 bytes. */
  readonly swarmKey?: Uint8Array | undefined;
  /** Bytes a second; 0 is no limit. */
  readonly uploadLimit: number;
  readonly downloadLimit: number;
  readonly fixedPeers: readonly PeerEndpoint[];
  readonly trackers: readonly string[];
  readonly lan: boolean;
  readonly dht: boolean;
  readonly dhtBootstrap: readonly PeerEndpoint[];
}
