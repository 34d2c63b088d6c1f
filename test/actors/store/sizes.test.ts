import t from 'tap';

import { Sizes } from '../../../src/actors/store/sizes.ts';

t.test('the sum is that of what is there, whatever was set twice or removed twice', async (t) => {
  const sizes = new Sizes();
  t.strictSame([sizes.bytes, sizes.count, sizes.oldest], [0, 0, undefined]);
  sizes.set('a', 5);
  sizes.set('b', 7);
  sizes.set('a', 2);
  t.strictSame([sizes.bytes, sizes.count, sizes.oldest, sizes.get('a')], [9, 2, 'a', 2]);
  sizes.delete('a');
  sizes.delete('a');
  t.strictSame([sizes.bytes, sizes.count, sizes.oldest, sizes.has('a')], [7, 1, 'b', false]);
});
