import fc from 'fast-check';
import t from 'tap';
import { Bitmap, isBitmap } from '../../../src/core/swarm/bitmap.ts';

const bits = fc.array(fc.boolean(), { maxLength: 70 });

const of = (values: readonly boolean[]) => {
  const bitmap = new Bitmap(values.length);
  for (const [index, value] of values.entries()) if (value) bitmap.set(index);
  return bitmap;
};

t.test('the high bit of the first byte is piece 0', async (t) => {
  const bitmap = new Bitmap(10);
  bitmap.set(0);
  bitmap.set(9);
  t.same([...bitmap.toBytes()], [0x80, 0x40]);
});

t.test('a bitmap holds what was set and cleared, and counts it', async (t) => {
  fc.assert(
    fc.property(bits, fc.array(fc.tuple(fc.nat(69), fc.boolean())), (values, changes) => {
      const bitmap = of(values);
      const expected = [...values];
      for (const [index, value] of changes.filter(([index]) => index < values.length)) {
        const changed = value ? bitmap.set(index) : bitmap.clear(index);
        t.equal(changed, expected[index] !== value);
        expected[index] = value;
      }
      const set = expected.flatMap((value, index) => (value ? [index] : []));
      t.same([...bitmap], set);
      t.equal(bitmap.count, set.length);
      t.equal(bitmap.isFull, set.length === values.length);
      t.equal(bitmap.isEmpty, set.length === 0);
      t.same(
        [...bitmap.runs()].flatMap(({ start, end }) => Array.from({ length: end - start }, (_, k) => start + k)),
        set,
      );
      for (const { end } of bitmap.runs()) t.notOk(bitmap.has(end), 'runs are as long as can be');
    }),
  );
});

t.test('bytes that are sent are read again', async (t) => {
  fc.assert(
    fc.property(bits, (values) => {
      const bitmap = of(values);
      const again = Bitmap.parse(bitmap.toBytes(), values.length);
      t.same([...(again ?? [])], [...bitmap]);
      t.equal(again?.count, bitmap.count);
      t.same(bitmap.copy().toBytes(), bitmap.toBytes());
    }),
  );
});

t.test('bytes of another length, or with spare bits, are no bitmap', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), fc.nat(48), (bytes, length) => {
      const text = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
      const right = bytes.length === Math.ceil(length / 8) && !text.slice(length).includes('1');
      t.equal(isBitmap(bytes, length), right);
      t.equal(Bitmap.parse(bytes, length) !== undefined, right);
    }),
    { numRuns: 500 },
  );
});

t.test('a full bitmap has all bits and no more', async (t) => {
  for (let length = 0; length < 20; length++) {
    const full = Bitmap.full(length);
    t.ok(full.isFull);
    t.equal([...full].length, length);
    t.ok(isBitmap(full.toBytes(), length));
  }
});

t.test('nothing outside can be set, and nothing is there', async (t) => {
  const bitmap = Bitmap.full(8);
  for (const index of [-1, 8, 2 ** 32, 0.5, NaN]) {
    t.throws(() => bitmap.set(index), RangeError);
    t.throws(() => bitmap.clear(index), RangeError);
  }
  for (const index of [-1, 8, 2 ** 32, NaN]) t.notOk(bitmap.has(index));
  t.throws(() => new Bitmap(-1), RangeError);
});

t.test('a copy stands alone', async (t) => {
  const bitmap = new Bitmap(8);
  const copy = bitmap.copy();
  copy.set(1);
  bitmap.toBytes()[0] = 255;
  t.ok(bitmap.isEmpty);
});
