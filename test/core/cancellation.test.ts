import t from 'tap';

import { Cancellation } from '../../src/core/cancellation.ts';

t.test('listeners hear of it once, in order, unless they were forgotten', async (t) => {
  const cancellation = new Cancellation();
  const heard: string[] = [];
  cancellation.listen(() => heard.push('first'));
  const forget = cancellation.listen(() => heard.push('forgotten'));
  cancellation.listen(() => {
    heard.push('second');
    cancellation.cancel();
  });
  forget();
  t.equal(cancellation.cancelled, false);
  cancellation.cancel();
  cancellation.cancel();
  t.equal(cancellation.cancelled, true);
  t.strictSame(heard, ['first', 'second']);
});

t.test('what has happened is not heard of', async (t) => {
  const cancellation = new Cancellation();
  cancellation.cancel();
  let heard = false;
  cancellation.listen(() => (heard = true));
  cancellation.cancel();
  t.equal(heard, false);
});
