import t from 'tap';

import { RangeSet } from '../../../src/core/range-set.ts';
import { wayFor } from '../../../src/actors/transfers/turns.ts';

const job = (id: number, start: number, end: number, bytes = 100, ms = 1000) => ({ id, start, end, bytes, ms });
const NOTHING = new RangeSet();

t.test('what is under way is waited for, unless much comes before it at that pace', (t) => {
  const jobs = [job(1, 0, 1000), job(2, 1000, 2000)];
  t.equal(wayFor(0, [0], NOTHING, jobs), undefined);
  t.equal(wayFor(1150, [1150], NOTHING, jobs), undefined);
  t.equal(wayFor(1500, [1500], NOTHING, jobs), 2);
  t.equal(wayFor(1500, [1500], NOTHING, [job(2, 1000, 2000, 0)]), undefined, 'one that waits itself has no pace');
  t.end();
});

t.test('a request that nobody waits for is given up first, and the last of these', (t) => {
  const jobs = [job(1, 0, 1000), job(2, 1000, 2000), job(3, 2000, 3000)];
  t.equal(wayFor(9000, [0, 9000], NOTHING, jobs), 3);
  t.equal(wayFor(9000, [2000, 9000], NOTHING, jobs), 2);
  const have = RangeSet.from([[0, 2500]]);
  t.equal(wayFor(9000, [0, 9000], have, jobs), 2, 'who is behind needs what follows on what he can have');
  t.end();
});

t.test('what others wait for goes on for its turn', (t) => {
  t.equal(wayFor(9000, [0, 9000], NOTHING, [job(1, 0, 1000, 100, 500)]), 'nobody');
  t.equal(wayFor(9000, [0, 9000], NOTHING, [job(1, 0, 1000, 100, 5000)]), 1);
  t.equal(wayFor(9000, [9000], NOTHING, []), 'nobody');
  t.end();
});
