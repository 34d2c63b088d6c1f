import t from 'tap';
import { compare, isMet, median, pairedRatio, renderTable } from '../../scripts/bench/figures.ts';

t.test('the median of an even number of values is the mean of the middle two', async (t) => {
  t.equal(median([4, 1, 3, 2]), 2.5);
  t.equal(median([3, 1, 2]), 2);
});

t.test('ratios are taken within a round before their median', async (t) => {
  t.equal(pairedRatio([1, 20, 3], [1, 10, 3]), 1);
});

t.test('a target is met by any of its bounds', async (t) => {
  const target = { minValue: 12_000, minRatio: 0.35 };
  t.equal(isMet(target, 12_000, 0.1), true);
  t.equal(isMet(target, 100, 0.35), true);
  t.equal(isMet(target, 100, 0.3), false);
  t.equal(isMet({ maxValue: 20 }, 21, null), false);
});

t.test('a contestant that was not measured leaves the target undecided', async (t) => {
  const figure = compare(
    { benchmark: 'b', measure: 'm', unit: 's', ours: 'us', peer: 'them', target: { maxRatio: 1 } },
    { them: [1, 2] },
  );
  t.match(figure, { ours: null, ratio: null, met: null, peerValue: 1.5 });
  t.match(renderTable([figure]), /m +s +- +them +1\.50 +- +ratio at most 1 +-/);
});
