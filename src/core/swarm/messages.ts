/**
 * The messages of the `dt_files` extension (docs/PROTOCOL.md): one bencoded dictionary each. Decoding checks every
 * length, number and count; what does not hold is an error of the peer.
 */
import type { Sha256 } from '../ids.ts';

/** A number that the wanting side gave a file on this link; 0 to 2^32-1, never used again on the link. */
export type FileNumber = number;

export interface WantedEntry {
  readonly file: FileNumber;
  readonly sha256: Sha256;
  readonly size: number;
}

export type FilesMessage =
  | { readonly type: 'want'; readonly files: readonly WantedEntry[] }
  | { readonly type: 'unwant'; readonly files: readonly FileNumber[] }
  /** A lease: piece k of the file is index base + k on this link. `have` absent: all pieces. One bit a piece, BEP 3 order. */
  | {
      readonly type: 'offer';
      readonly file: FileNumber;
      readonly base: number;
      readonly pieces: number;
      readonly have?: Uint8Array;
    }
  | { readonly type: 'none'; readonly files: readonly FileNumber[] }
  | { readonly type: 'retract'; readonly bases: readonly number[] }
  | { readonly type: 'tree-request'; readonly file: FileNumber }
  /** Roots of all pieces, 32 bytes each; empty when the peer has none. */
  | { readonly type: 'tree'; readonly file: FileNumber; readonly roots: Uint8Array }
  /** Pieces that the sender takes from the mirror now, of a file that it wants itself. One bit a piece; whole state. */
  | { readonly type: 'fetching'; readonly file: FileNumber; readonly pieces: Uint8Array }
  /** Blinded ids of the torrents that the sender has, whole state. 8 bytes each. */
  | { readonly type: 'torrents'; readonly ids: Uint8Array };
