/**
 * Whether a frame has the form of its message (BEP 3, 6, 10), and whether the wire needs to see it: the wire reads
 * numbers beyond the end of short frames, and bitfields of any size.
 */
import { PREFIX_BYTES } from './frame-guard.ts';

export const ID = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  uninterested: 3,
  have: 4,
  request: 6,
  piece: 7,
  cancel: 8,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const;

/** Lengths without the prefix of messages that have one. */
const LENGTHS: Readonly<Record<number, number>> = {
  [ID.choke]: 1,
  [ID.unchoke]: 1,
  [ID.interested]: 1,
  [ID.uninterested]: 1,
  [ID.have]: 5,
  [ID.request]: 13,
  [ID.cancel]: 13,
  [ID.haveNone]: 1,
  [ID.reject]: 13,
  [ID.allowedFast]: 5,
};
const PIECE_HEADER_BYTES = 9;

/** `pass` it to the wire, `ignore` it, or what is wrong with it. The frame is longer than its prefix, and no block. */
export function checkFrame(frame: Buffer): 'pass' | 'ignore' | { readonly fault: string } {
  const id = frame[PREFIX_BYTES] as number;
  const length = frame.length - PREFIX_BYTES;
  if (id === ID.piece) return { fault: `a block of ${length - PIECE_HEADER_BYTES} bytes` };
  if (id === ID.extended) return length >= 2 ? 'pass' : { fault: 'an extended message without a number' };
  const expected = LENGTHS[id];
  if (expected === undefined) return 'ignore';
  return length === expected ? 'pass' : { fault: `a message ${id} of ${length} bytes` };
}
