/** What this project uses of bencode 4, which comes without types. Never hand it bytes that src/core/swarm/bencode.ts has not checked. */
declare module 'bencode' {
  const bencode: {
    encode(data: unknown): Uint8Array;
    decode(data: Uint8Array): unknown;
  };
  export default bencode;
}
