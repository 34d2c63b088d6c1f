import fc from 'fast-check';
import t from 'tap';
import { readBencode, type Bencoded } from '../../../src/core/swarm/bencode-reader.ts';

const read = (text: string) => readBencode(Buffer.from(text, 'latin1'));

function write(value: Bencoded): Buffer {
  if (typeof value === 'number') return Buffer.from(`i${value}e`);
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from('l'), ...value.map(write), Buffer.from('e')]);
  const entries = [...value].flatMap(([key, entry]) => [write(Buffer.from(key, 'latin1')), write(entry)]);
  return Buffer.concat([Buffer.from('d'), ...entries, Buffer.from('e')]);
}

const { value } = fc.letrec<{ value: Bencoded }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.maxSafeInteger().map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .uniqueArray(fc.tuple(fc.string({ unit: 'binary-ascii', maxLength: 8 }), tie('value')), {
        maxLength: 4,
        selector: ([key]) => key,
      })
      .map((entries) => new Map(entries)),
  ),
}));

t.test('what is written is read', async (t) => {
  fc.assert(
    fc.property(value, (one) => {
      const bytes = write(one);
      const again = readBencode(bytes);
      return again !== undefined && write(again).equals(bytes);
    }),
  );
  t.same(
    read('d1:ai-5e1:b2:xye'),
    new Map<string, Bencoded>([
      ['a', -5],
      ['b', Buffer.from('xy')],
    ]),
  );
});

t.test('what is not bencode is undefined', async (t) => {
  for (const text of [
    '',
    'i',
    'ie',
    'i-0e',
    'i01e',
    'i1',
    'i1.5e',
    'i99999999999999999e',
    '1:',
    '01:a',
    '-1:a',
    '5:abc',
    'l',
    'li1e',
    'd',
    'd1:ae',
    'di1ei1ee',
    'd1:ai1e1:ai2ee',
    'i1ex',
    'x',
    '999999999:x',
    ':x',
  ])
    t.equal(read(text), undefined, text);
});

t.test('depth and number of items are bounded', async (t) => {
  t.equal(read('l'.repeat(100_000)), undefined);
  t.equal(read(`${'l'.repeat(20)}${'e'.repeat(20)}`), undefined);
  t.equal(read(`l${'le'.repeat(100_000)}e`), undefined);
});

t.test('keys mean nothing to the language', async (t) => {
  const dict = read('d9:__proto__d1:xi1ee8:toStringi5ee');
  t.ok(dict instanceof Map && dict.has('__proto__') && dict.has('toString'));
});

t.test('no bytes make the reader throw', async () => {
  const likely = fc
    .array(fc.constantFrom('d', 'l', 'i', 'e', ':', '1:', '2:', '-', '0', '9', 'a'), { maxLength: 60 })
    .map((all) => Buffer.from(all.join('')));
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(likely, any), (bytes) => {
      readBencode(bytes);
    }),
    { numRuns: 2000 },
  );
});
