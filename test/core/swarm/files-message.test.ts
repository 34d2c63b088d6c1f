import fc from 'fast-check';
import t from 'tap';
import { DebtorrentError } from '../../../src/core/errors.ts';
import type { Sha256 } from '../../../src/core/ids.ts';
import { encodeBencode } from '../../../src/core/swarm/bencode.ts';
import { decodeFilesMessage } from '../../../src/core/swarm/decode-message.ts';
import { encodeFilesMessage } from '../../../src/core/swarm/encode-message.ts';
import { MAX_FRAME_BYTES, MAX_TREE_PIECES } from '../../../src/core/swarm/limits.ts';
import type { FilesMessage } from '../../../src/core/swarm/messages.ts';
import { MAX_FILE_BYTES, MAX_PIECES } from '../../../src/core/swarm/pieces.ts';
import { filesMessage } from './arbitraries.ts';

const HASH = 'ab'.repeat(32) as Sha256;
const REFUSED = { name: 'DebtorrentError', code: 'PEER_PROTOCOL' };

/** Bytes as text, so that a Buffer equals a Uint8Array. */
const plain = (message: FilesMessage | undefined) =>
  message &&
  Object.fromEntries(
    Object.entries(message).map(([key, value]) => [
      key,
      ArrayBuffer.isView(value) ? Buffer.from(value as Uint8Array).toString('hex') : (value as unknown),
    ]),
  );

/** Decodes or throws a DebtorrentError; anything else fails the property. */
function tamed(bytes: Uint8Array): FilesMessage | undefined {
  try {
    return decodeFilesMessage(bytes);
  } catch (error) {
    if (error instanceof DebtorrentError && error.code === 'PEER_PROTOCOL') return undefined;
    throw error;
  }
}

t.test('what is encoded is decoded', async (t) => {
  fc.assert(
    fc.property(filesMessage, (message) => {
      t.same(plain(decodeFilesMessage(encodeFilesMessage(message))), plain(message));
    }),
  );
});

t.test('arbitrary bytes are refused, never more', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void tamed(bytes)));
  const alphabet = fc.constantFrom(...'dlei:0123456789-.+twnbprxish'.split(''));
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 60 }), (text) => void tamed(Buffer.from(text.join('')))),
    { numRuns: 3000 },
  );
});

t.test('messages altered on the way are refused or mean something within the bounds', async (t) => {
  const change = fc.record({
    at: fc.nat(),
    take: fc.integer({ min: 0, max: 4 }),
    put: fc.uint8Array({ maxLength: 4 }),
  });
  fc.assert(
    fc.property(filesMessage, fc.array(change, { minLength: 1, maxLength: 4 }), (message, changes) => {
      let bytes = Buffer.from(encodeFilesMessage(message));
      for (const { at, take, put } of changes) {
        const from = at % (bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + take)]);
      }
      const decoded = tamed(bytes);
      if (decoded !== undefined) t.same(plain(decodeFilesMessage(encodeFilesMessage(decoded))), plain(decoded));
    }),
    { numRuns: 1000 },
  );
});

t.test('a message cut short is refused at every length', async (t) => {
  const bytes = encodeFilesMessage({ type: 'want', files: [{ file: 7, sha256: HASH, size: 9 }] });
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decodeFilesMessage(bytes.subarray(0, length)), REFUSED, `${length} bytes`);
  }
});

t.test('a message of an unknown number is ignored, and so are unknown keys', async (t) => {
  t.equal(decodeFilesMessage(encodeBencode({ t: 9 })), undefined);
  t.equal(decodeFilesMessage(encodeBencode({ t: 9, i: 'not what others have there' })), undefined);
  t.same(decodeFilesMessage(encodeBencode({ t: 5, i: 3, zzz: [{ a: 1 }] })), { type: 'tree-request', file: 3 });
});

t.test('what breaks a bound is refused', async (t) => {
  const want = { i: 0, h: new Uint8Array(32), s: 1 };
  const many = (count: number) => Array.from({ length: count }, (_, index) => index);
  const refused: Record<string, unknown> = {
    'no dictionary': [0],
    'no number': { i: 1 },
    'a number that is text': { t: '5', i: 3 },
    'a negative number': { t: -1 },
    'a want of nothing': { t: 0, w: [] },
    'a want that is no list': { t: 0, w: want },
    'a want of 65 files': { t: 0, w: many(65).map((i) => ({ ...want, i })) },
    'a want of an empty file': { t: 0, w: [{ ...want, s: 0 }] },
    'a want of a file of more than 64 GiB': { t: 0, w: [{ ...want, s: MAX_FILE_BYTES + 1 }] },
    'a want with a short hash': { t: 0, w: [{ ...want, h: new Uint8Array(31) }] },
    'a want with a file number of 33 bits': { t: 0, w: [{ ...want, i: 2 ** 32 }] },
    'a want of a number': { t: 0, w: [1] },
    'an unwant of nothing': { t: 1, i: [] },
    'an unwant of 1,025 files': { t: 1, i: many(1025) },
    'an unwant of text': { t: 1, i: ['1'] },
    'an offer of no pieces': { t: 2, i: 0, b: 0, n: 0 },
    'an offer of too many pieces': { t: 2, i: 0, b: 0, n: MAX_PIECES + 1 },
    'an offer that ends beyond 32 bits': { t: 2, i: 0, b: 2 ** 32 - 1, n: 2 },
    'an offer with a negative index': { t: 2, i: 0, b: -1, n: 2 },
    'an offer with a short bitmap': { t: 2, i: 0, b: 0, n: 9, p: new Uint8Array(1) },
    'an offer with a long bitmap': { t: 2, i: 0, b: 0, n: 8, p: new Uint8Array(2) },
    'an offer with spare bits set': { t: 2, i: 0, b: 0, n: 7, p: Buffer.of(1) },
    'a retract that is a number': { t: 4, b: 1 },
    'roots that are cut': { t: 6, i: 0, r: new Uint8Array(33) },
    'too many roots': { t: 6, i: 0, r: new Uint8Array((MAX_TREE_PIECES + 1) * 32) },
    'fetching without a bitmap': { t: 7, i: 0, p: '' },
    'fetching of too many pieces': { t: 7, i: 0, p: new Uint8Array(MAX_PIECES / 8 + 1) },
    'blinded ids that are cut': { t: 8, x: new Uint8Array(7) },
    'too many blinded ids': { t: 8, x: new Uint8Array(257 * 8) },
  };
  for (const [what, value] of Object.entries(refused)) {
    t.throws(() => decodeFilesMessage(encodeBencode(value)), REFUSED, what);
  }
  t.throws(() => decodeFilesMessage(new Uint8Array(MAX_FRAME_BYTES + 1)), REFUSED, 'a long message');
});

t.test('the largest of each message fits into a frame and is taken', async (t) => {
  const numbers = Array.from({ length: 1024 }, (_, index) => 2 ** 32 - 1 - index);
  const largest: FilesMessage[] = [
    { type: 'want', files: numbers.slice(0, 64).map((file) => ({ file, sha256: HASH, size: MAX_FILE_BYTES })) },
    { type: 'unwant', files: numbers },
    { type: 'none', files: numbers },
    { type: 'retract', bases: numbers },
    { type: 'offer', file: 0, base: 2 ** 32 - MAX_PIECES, pieces: MAX_PIECES, have: Buffer.alloc(MAX_PIECES / 8, 255) },
    { type: 'tree', file: 0, roots: new Uint8Array(MAX_TREE_PIECES * 32) },
    { type: 'fetching', file: 0, pieces: new Uint8Array(MAX_PIECES / 8) },
    { type: 'torrents', ids: new Uint8Array(256 * 8) },
  ];
  for (const message of largest) {
    const bytes = encodeFilesMessage(message);
    t.ok(bytes.length + 2 <= MAX_FRAME_BYTES, `${message.type}: ${bytes.length} bytes`);
    t.same(plain(decodeFilesMessage(bytes)), plain(message));
  }
});

t.test('what is decoded does not change with the bytes that it came from', async (t) => {
  const bytes = Buffer.from(encodeFilesMessage({ type: 'tree', file: 1, roots: Buffer.alloc(64, 5) }));
  const decoded = decodeFilesMessage(bytes);
  bytes.fill(0);
  t.same(plain(decoded), plain({ type: 'tree', file: 1, roots: Buffer.alloc(64, 5) }));
});
