import bencode from 'bencode';
import fc from 'fast-check';
import t from 'tap';
import { DebtorrentError } from '../../../src/core/errors.ts';
import { encodeBencode } from '../../../src/core/swarm/bencode.ts';
import {
  decodeExtendedHandshake,
  encodeExtendedHandshake,
  extendedHandshakeFields,
  parseExtendedHandshake,
} from '../../../src/core/swarm/extended-handshake.ts';

const REFUSED = { name: 'DebtorrentError', code: 'PEER_PROTOCOL' };
const least = { dt: { v: 1, t: new Uint8Array() }, m: { dt_files: 1 } };

const handshake = fc.record({
  client: fc.string({ unit: 'grapheme-ascii', maxLength: 64 }).map((text) => text.trim()),
  listenPort: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
  torrents: fc.nat(256).map((count) => new Uint8Array(count * 8).fill(count)),
  extensions: fc.record({
    files: fc.integer({ min: 1, max: 255 }),
    pex: fc.option(fc.integer({ min: 1, max: 255 }), { nil: undefined }),
  }),
});

t.test('what is sent is read', async (t) => {
  fc.assert(
    fc.property(handshake, (own) => {
      const { torrents, ...rest } = decodeExtendedHandshake(encodeExtendedHandshake(own));
      t.same(rest, {
        version: 1,
        maxRequests: 256,
        client: own.client,
        listenPort: own.listenPort,
        extensions: own.extensions,
      });
      t.same(Buffer.from(torrents), Buffer.from(own.torrents));
    }),
  );
});

t.test('what the wire makes of the fields is read too', async (t) => {
  const fields = extendedHandshakeFields({ client: 'DebTorrent 2', listenPort: 9989, torrents: new Uint8Array(8) });
  const payload = bencode.encode({ ...fields, m: { dt_files: 2, ut_pex: 3 } });
  t.match(parseExtendedHandshake(bencode.decode(payload)), {
    client: 'DebTorrent 2',
    listenPort: 9989,
    extensions: { files: 2, pex: 3 },
  });
});

t.test('only dt and m need to be there', async (t) => {
  t.match(decodeExtendedHandshake(encodeBencode(least)), { version: 1, client: '', maxRequests: 256 });
});

t.test('what comes later in the protocol is taken', async (t) => {
  const later = { ...least, dt: { ...least.dt, v: 7, z: [1] }, yourip: 'abcd', m: { ...least.m, ut_metadata: 4 } };
  t.match(decodeExtendedHandshake(encodeBencode(later)), { version: 7 });
  t.equal(decodeExtendedHandshake(encodeBencode({ ...least, reqq: 5000 })).maxRequests, 256);
  t.equal(decodeExtendedHandshake(encodeBencode({ ...least, reqq: 5 })).maxRequests, 5);
  t.equal(
    decodeExtendedHandshake(encodeBencode({ ...least, m: { dt_files: 1, ut_pex: 0 } })).extensions.pex,
    undefined,
    'an extension with number 0 is off',
  );
});

t.test('handshakes of other clients, and malformed ones, are refused', async (t) => {
  const refused: Record<string, unknown> = {
    'no dictionary': [least],
    'no dt': { m: least.m },
    'no m': { dt: least.dt },
    'm is a list': { ...least, m: [1] },
    'm is text': { ...least, m: 'dt_files' },
    'no dt_files': { ...least, m: { ut_pex: 1 } },
    'dt_files is off': { ...least, m: { dt_files: 0 } },
    'dt_files is no byte': { ...least, m: { dt_files: 256 } },
    'dt_files is text': { ...least, m: { dt_files: '1' } },
    'a dictionary where the wire expects a number': { ...least, m: { dt_files: 1, other: { toString: 1 } } },
    'a number of 16 bits': { ...least, m: { dt_files: 1, other: 300 } },
    'too many extensions': {
      ...least,
      m: Object.fromEntries(['dt_files', ...Array(64).keys()].map((name) => [String(name), 1])),
    },
    'version 0': { ...least, dt: { v: 0, t: '' } },
    'no version': { ...least, dt: { t: '' } },
    'no list of torrents': { ...least, dt: { v: 1 } },
    'a list of torrents that is cut': { ...least, dt: { v: 1, t: '1234567' } },
    'too many torrents': { ...least, dt: { v: 1, t: new Uint8Array(257 * 8) } },
    'port 0': { ...least, p: 0 },
    'port 65,536': { ...least, p: 65_536 },
    'a port that is text': { ...least, p: '80' },
    'no requests': { ...least, reqq: 0 },
    'a client that is a number': { ...least, v: 5 },
    'too long': { ...least, x: new Uint8Array(17_000) },
  };
  for (const [what, value] of Object.entries(refused)) {
    t.throws(() => decodeExtendedHandshake(encodeBencode(value)), REFUSED, what);
  }
  for (const value of [null, undefined, 1, 'd', [], new Uint8Array(3)]) {
    t.throws(() => parseExtendedHandshake(value), REFUSED);
  }
});

t.test('the name of a client cannot play with the terminal, and is short', async (t) => {
  const client = (v: unknown) => decodeExtendedHandshake(encodeBencode({ ...least, v })).client;
  t.equal(client('a\u001b[2Jb\n\u202ec\u0000'), 'a?[2Jb??c?');
  t.equal(client('x'.repeat(1000)), 'x'.repeat(64));
  t.equal(client(Buffer.of(0x61, 0xff)), 'a?');
});

t.test('arbitrary bytes are refused, never more', async () => {
  const valid = Buffer.from(
    encodeExtendedHandshake({
      client: 'c',
      listenPort: 1,
      torrents: new Uint8Array(8),
      extensions: { files: 1, pex: 2 },
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5 }), fc.nat(valid.length), fc.nat(5), (put, at, take) => {
      try {
        decodeExtendedHandshake(Buffer.concat([valid.subarray(0, at), put, valid.subarray(at + take)]));
      } catch (error) {
        if (!(error instanceof DebtorrentError) || error.code !== 'PEER_PROTOCOL') throw error;
      }
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.anything(), (value) => {
      try {
        parseExtendedHandshake(value);
      } catch (error) {
        if (!(error instanceof DebtorrentError) || error.code !== 'PEER_PROTOCOL') throw error;
      }
    }),
  );
});
