import t from 'tap';
import { DatagramBudget } from '../../../src/core/swarm/datagram-budget.ts';

const LIMITS = { perSource: { rate: 2, burst: 5 }, total: { rate: 10, burst: 20 } };
const taken = (budget: DatagramBudget, source: string, count: number, now: number) =>
  Array.from({ length: count }, () => budget.take(source, now)).filter(Boolean).length;

t.test('one address has its burst, then its rate', async (t) => {
  const budget = new DatagramBudget(LIMITS);
  t.equal(taken(budget, 'a', 100, 0), 5);
  t.equal(taken(budget, 'a', 100, 1000), 2);
  t.equal(taken(budget, 'a', 100, 60_000), 5);
});

t.test('one that floods does not use up what others have', async (t) => {
  const budget = new DatagramBudget(LIMITS);
  taken(budget, 'a', 10_000, 0);
  t.equal(taken(budget, 'b', 3, 0), 3);
});

t.test('any number of addresses together have no more than the total', async (t) => {
  const budget = new DatagramBudget(LIMITS);
  let all = 0;
  for (let n = 0; n < 2000; n += 1) all += taken(budget, `${n}`, 3, 0);
  t.equal(all, 20);
  t.equal(taken(budget, 'later', 100, 10_000), 5);
});
