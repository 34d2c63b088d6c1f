import t from 'tap';
import { atLeast, scenarioFigures } from '../../scripts/bench/crowd/outcome.ts';

const setting = { copyBytes: 100e6, alone: [10] };

t.test('the mirror is measured in copies, the last machine against plain apt alone', async (t) => {
  const outcome = { sent: { packages: 110e6, others: 2e6 }, finished: [9, 13, 11, 12, 12, 12, 12, 12], failed: [] };
  const [copies, others, machines, last] = scenarioFigures('together', outcome, setting);
  t.match(copies, { ours: 1.1, unit: 'copies', met: true });
  t.match(others, { ours: 2, unit: 'MB', target: null });
  t.match(machines, { ours: 8, met: true });
  t.match(last, { ours: 13, peerValue: 10, ratio: 1.3, met: true });
});

t.test('a machine that did not get everything misses the target, and the note says why', async (t) => {
  const outcome = { sent: { packages: 0, others: 0 }, finished: [9, 9, 9, 9, 9, 9], failed: ['machine 2: gone'] };
  const machines = scenarioFigures('killed', outcome, setting)[2];
  t.match(machines, { ours: 6, met: false, note: 'machine 2: gone' });
});

t.test('with no machine done there is no last one', async (t) => {
  const outcome = { sent: { packages: 0, others: 0 }, finished: [], failed: ['machine 1: gone'] };
  t.match(scenarioFigures('together', outcome, setting)[3], { ours: null, met: null });
});

t.test('a copy has the first packages that reach its size', async (t) => {
  const packages = [4, 3, 2, 1].map((size) => ({ size }));
  t.same(
    atLeast(packages, 7).map(({ size }) => size),
    [4, 3],
  );
  t.equal(atLeast(packages, 8).length, 3);
  t.equal(atLeast(packages, 1000).length, 4);
});
