/**
 * What is used of bittorrent-protocol 5.0.9, which ships no types. The members with an underscore are its own: they are
 * used where its public ones are unsafe (see channel.ts), and hold for this version only, which package.json pins.
 */
declare module 'bittorrent-protocol' {
  interface WireExtensions {
    readonly dht: boolean;
    readonly fast: boolean;
    readonly extended: boolean;
  }

  interface WireExtension {
    onMessage(payload: Uint8Array): void;
  }

  interface WireEvents {
    handshake: [infoHash: string, peerId: string, extensions: WireExtensions];
    choke: [];
    unchoke: [];
    interested: [];
    uninterested: [];
    have: [index: number];
    request: [index: number, offset: number, length: number, respond: (error: Error | null, data?: Uint8Array) => void];
    cancel: [index: number, offset: number, length: number];
    reject: [index: number, offset: number, length: number];
    'allowed-fast': [index: number];
    error: [error: Error];
  }

  /** Indexes, offsets and lengths in events are signed 32-bit numbers. */
  export default class Wire {
    constructor(type?: 'tcpIncoming' | 'tcpOutgoing');
    on<E extends keyof WireEvents>(event: E, listener: (...args: WireEvents[E]) => void): this;
    use(extension: new (wire: Wire) => WireExtension): void;
    handshake(infoHash: string, peerId: string, extensions: { readonly fast: boolean }): void;
    keepAlive(): void;
    choke(): void;
    unchoke(): void;
    interested(): void;
    uninterested(): void;
    have(index: number): void;
    haveNone(): void;
    request(
      index: number,
      offset: number,
      length: number,
      answer: (error: Error | null, block?: Uint8Array) => void,
    ): void;
    cancel(index: number, offset: number, length: number): void;
    reject(index: number, offset: number, length: number): void;
    allowedFast(index: number): void;
    extended(id: number, payload: Uint8Array): void;
    destroy(): void;
    readonly peerId: string | null;
    readonly hasFast: boolean;
    readonly amChoking: boolean;
    readonly amInterested: boolean;
    readonly peerChoking: boolean;
    readonly peerInterested: boolean;
    allowedFastSet: number[];
    peerAllowedFastSet: number[];
    peerPieces: { get(index: number): boolean; set(index: number, value: boolean): void };
    /** Of its stream: what the wire sends, null at its end. */
    push(bytes: Uint8Array | null): boolean;
    _extendedHandshakeSent: boolean;
    /** Makes a string of each message, whether or not anybody reads it. */
    _debug(...args: unknown[]): void;
    /** What it does with a `piece`. Signed 32-bit numbers. */
    _onPiece(index: number, offset: number, data: Uint8Array): void;
    _write(bytes: Uint8Array, done: (error: Error | null) => void): void;
  }
}
