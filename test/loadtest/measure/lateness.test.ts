import t from 'tap';
import { latenessOf } from '../../../scripts/loadtest/measure/lateness.ts';

t.test('a timer that came after its interval was not late', (t) => {
  const told = (p99: number, max: number) => latenessOf({ percentile: () => p99 * 1e6, max: max * 1e6 });
  t.same(told(5, 5), { p99: 0, max: 0 });
  t.same(told(7, 25), { p99: 2, max: 20 });
  t.same(told(0, 0), { p99: 0, max: 0 }, 'and none, when it ended before the first');
  t.end();
});
