import t from 'tap';
import { Coalesced } from '../../../src/actors/packages-parser/coalesced.ts';

t.test('whoever asks while it runs is served by one more run', async (t) => {
  let begun = 0;
  const ends: (() => void)[] = [];
  const work = new Coalesced(() => {
    begun++;
    return new Promise((resolve) => ends.push(resolve));
  });
  const first = work.run();
  const [second, third] = [work.run(), work.run()];
  t.equal(begun, 1);
  t.equal(second, third);
  let idle = false;
  const done = work.idle().then(() => (idle = true));
  ends[0]?.();
  await first;
  await new Promise(setImmediate);
  t.equal(begun, 2, 'one for both');
  t.equal(idle, false);
  ends[1]?.();
  await second;
  await done;
  t.equal(begun, 2);
  await work.idle();
});
