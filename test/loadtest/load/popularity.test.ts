import t from 'tap';
import { Sampler, parsePopcon, popconWeights, zipfWeights } from '../../../scripts/loadtest/load/popularity.ts';
import { randomNumbers } from '../../support/random.ts';

t.test('Zipf: draws fall off as the rank to the exponent', (t) => {
  const sampler = new Sampler(zipfWeights(100, 1));
  const random = randomNumbers('zipf');
  const counts = new Array<number>(100).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const drawn = sampler.one(random);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  const harmonic = zipfWeights(100, 1).reduce((sum, weight) => sum + weight, 0);
  for (const rank of [1, 2, 5, 10, 50]) {
    const expected = 100_000 / rank / harmonic;
    const seen = counts[rank - 1] ?? 0;
    t.ok(Math.abs(seen - expected) < 5 * Math.sqrt(expected), `rank ${rank}: ${seen}, expected ${expected}`);
  }
  t.end();
});

t.test('a session asks for a package once, and for all when it wants as many', (t) => {
  const sampler = new Sampler(zipfWeights(50, 2));
  const random = randomNumbers('distinct');
  for (const count of [1, 10, 49, 50, 80]) {
    const drawn = sampler.distinct(random, count);
    t.equal(drawn.length, Math.min(count, 50));
    t.equal(new Set(drawn).size, drawn.length);
    t.ok(drawn.every((index) => index >= 0 && index < 50));
  }
  t.end();
});

t.test('exponent 0 wants everything alike', (t) => {
  t.same([...zipfWeights(4, 0)], [1, 1, 1, 1]);
  t.end();
});

t.test('a popularity contest gives weights by name, or by rank where it knows no name', (t) => {
  const text =
    '#rank name inst vote old recent no-files (maintainer)\n1 dpkg 250 10 1 1 1 (x)\n2 perl-base 100 1 1 1 1 (y)\n-----\n3 Total 350\n';
  const popcon = parsePopcon(text.replace('3 Total 350\n', ''));
  t.same(
    [...popcon],
    [
      ['dpkg', 250],
      ['perl-base', 100],
    ],
  );
  t.same([...popconWeights(['perl-base', 'other'], popcon)], [100, 0.5]);
  t.same([...popconWeights(['a', 'b', 'c'], popcon)], [250, 100, 0.5]);
  t.end();
});
