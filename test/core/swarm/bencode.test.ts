import bencode from 'bencode';
import fc from 'fast-check';
import t from 'tap';
import { checkBencode, decodeBencode, encodeBencode, field } from '../../../src/core/swarm/bencode.ts';

const REFUSED = { name: 'DebtorrentError', code: 'PEER_PROTOCOL' };

t.test('what would hang, overflow or fool the library is refused', async (t) => {
  const hostile = {
    'a length that leads backwards, over which the library never ends': 'l-3:e',
    'the same in a dictionary': 'd-3:i0ee',
    'a string longer than the message': '99999999999999999999:abc',
    'a string a little longer than the message': '4:abc',
    'a length with a zero in front': '03:abc',
    'a string without a length': ':abc',
    'a length with a sign': '+1:a',
    'a list in 200,000 lists': 'l'.repeat(200_000) + 'e'.repeat(200_000),
    'six lists within each other': 'lllllleeeeee',
    'a list without an end': 'l',
    'a dictionary without an end': 'd1:ai1e',
    'a key without a value': 'd1:ae',
    'a key that is a number': 'di1ei2ee',
    'a key twice': 'd1:ai1e1:ai2ee',
    'keys out of order': 'd1:bi1e1:ai2ee',
    'the key of the prototype': 'd9:__proto__d1:ti0eee',
    'a key of 65 bytes': `d65:${'k'.repeat(65)}i0ee`,
    'minus zero': 'i-0e',
    'a fraction': 'i1.5e',
    'a plus': 'i+1e',
    'no digits': 'ie',
    'only a minus': 'i-e',
    'a zero in front': 'i01e',
    'a number of 17 digits': 'i10000000000000000e',
    'a number above 2^53': 'i9007199254740993e',
    'a number of 2^53': 'i9007199254740992e',
    'bytes after the value': 'i1ee',
    'a second value': 'i1ei2e',
    nothing: '',
    '5,000 items': `l${'i0e'.repeat(5000)}e`,
    'an end without a start': 'e',
  };
  for (const [what, text] of Object.entries(hostile)) {
    t.throws(() => checkBencode(Buffer.from(text)), REFUSED, what);
  }
});

t.test('what is canonical is let through, and re-encoding gives the same bytes', async (t) => {
  const key = fc.string({ unit: 'grapheme-ascii', maxLength: 10 }).filter((k) => k !== '__proto__');
  const { value } = fc.letrec((tie) => ({
    leaf: fc.oneof(fc.maxSafeInteger(), fc.uint8Array({ maxLength: 20 })),
    value: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'bencode' },
      tie('leaf'),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(value, (data) => {
      const bytes = encodeBencode(data);
      t.same(Buffer.from(encodeBencode(decodeBencode(bytes))), Buffer.from(bytes));
    }),
  );
});

t.test('the largest numbers that JavaScript has exactly', async (t) => {
  for (const value of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    t.equal(decodeBencode(Buffer.from(`i${value}e`)), value);
  }
});

t.test('what is let through is what the library makes of it', async (t) => {
  const text = fc.array(fc.constantFrom('d', 'l', 'e', 'i', '0', '1', '2', ':', '-', 'a'), { maxLength: 12 });
  fc.assert(
    fc.property(text, (characters) => {
      const bytes = Buffer.from(characters.join(''));
      try {
        checkBencode(bytes);
      } catch {
        return;
      }
      t.same(Buffer.from(bencode.encode(bencode.decode(bytes))), bytes);
    }),
    { numRuns: 3000 },
  );
});

t.test('only own properties of dictionaries are fields', async (t) => {
  t.equal(field({ a: 1 }, 'a'), 1);
  for (const value of [{}, [], new Uint8Array(3), null, undefined, 5, 'text']) {
    for (const key of ['length', 'toString', '__proto__', 'constructor', '0']) t.equal(field(value, key), undefined);
  }
});
