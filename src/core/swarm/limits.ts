/**
 * The bounds of the protocol (docs/PROTOCOL.md): what a message may hold. Those of pieces and files are in pieces.ts.
 */

/** A frame of the wire, its length prefix aside. */
export const MAX_FRAME_BYTES = 262_144;
/** The dictionary of an extended handshake: its frame has 16,384 bytes at most. */
export const MAX_HANDSHAKE_BYTES = 16_382;
/** Files in one want. */
export const MAX_WANTS_PER_MESSAGE = 64;
/** Wants open on a link in each direction. */
export const MAX_OPEN_WANTS = 1024;
/** File numbers or first indexes in one unwant, none or retract. */
export const MAX_LISTED = 1024;
/** Pieces of a file whose roots are told: what fits into a frame. */
export const MAX_TREE_PIECES = 8000;
export const ROOT_BYTES = 32;
/** Torrents that one side of a link lists. */
export const MAX_TORRENTS = 256;
export const BLIND_ID_BYTES = 8;
/** File numbers and piece indexes are below. */
export const NUMBERS = 2 ** 32;
/** Open requests that a peer may have at another (`reqq`). */
export const MAX_OPEN_REQUESTS = 256;
/** The least that a peer may ask for, the end of a piece aside. */
export const MIN_REQUEST_BYTES = 16_384;
