import t from 'tap';

import { soon } from '../../src/core/soon.ts';

t.test('after what is being done, before the next turn of the event loop, in order', async (t) => {
  const done: number[] = [];
  const turn = new Promise<void>((resolve) => setImmediate(resolve)).then(() => done.push(4));
  soon(() => {
    done.push(2);
    soon(() => done.push(3));
  });
  done.push(1);
  await turn;
  t.strictSame(done, [1, 2, 3, 4]);
});
