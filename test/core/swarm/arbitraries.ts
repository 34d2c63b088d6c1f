import fc from 'fast-check';
import type { Sha256 } from '../../../src/core/ids.ts';
import type { FilesMessage } from '../../../src/core/swarm/messages.ts';
import { MAX_FILE_BYTES } from '../../../src/core/swarm/pieces.ts';

const number32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const numbers = fc.array(number32, { minLength: 1, maxLength: 40 });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

export const sha256 = bytes(32).map((digest) => Buffer.from(digest).toString('hex') as Sha256);
export const peerId = bytes(20).map((id) => Buffer.from(id).toString('hex'));

/** Bytes of a bitmap of so many bits, spare bits zero. */
export const bitmapBytes = (bits: number) =>
  bytes(Math.ceil(bits / 8)).map((all) => {
    const last = all.length - 1;
    if (bits % 8 !== 0) all[last] = (all[last] ?? 0) & (0xff << (8 - (bits % 8)));
    return all;
  });

const wanted = fc.record({ file: number32, sha256, size: fc.integer({ min: 1, max: MAX_FILE_BYTES }) });

const lease = fc
  .record({ file: number32, base: number32, pieces: fc.integer({ min: 1, max: 200 }) })
  .map((all) => ({ ...all, base: Math.min(all.base, 2 ** 32 - all.pieces) }));

const offer = lease.chain((all) =>
  fc.oneof(
    fc.constant({ type: 'offer' as const, ...all }),
    bitmapBytes(all.pieces).map((have) => ({ type: 'offer' as const, ...all, have })),
  ),
);

const units = (unit: number, most: number) => fc.integer({ min: 0, max: most }).chain((count) => bytes(unit * count));

/** Every message that the protocol allows, short ones more often. */
export const filesMessage: fc.Arbitrary<FilesMessage> = fc.oneof(
  fc.record({ type: fc.constant('want' as const), files: fc.array(wanted, { minLength: 1, maxLength: 64 }) }),
  fc.record({ type: fc.constant('unwant' as const), files: numbers }),
  offer,
  fc.record({ type: fc.constant('none' as const), files: numbers }),
  fc.record({ type: fc.constant('retract' as const), bases: numbers }),
  fc.record({ type: fc.constant('tree-request' as const), file: number32 }),
  fc.record({ type: fc.constant('tree' as const), file: number32, roots: units(32, 20) }),
  fc.record({
    type: fc.constant('fetching' as const),
    file: number32,
    pieces: units(1, 40).filter((b) => b.length > 0),
  }),
  fc.record({ type: fc.constant('torrents' as const), ids: units(8, 256) }),
);
