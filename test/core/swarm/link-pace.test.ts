import t from 'tap';

import { LinkPace, PACE_LASTS_MS, PACE_MS } from '../../../src/core/swarm/link-pace.ts';

t.test('what a busy link brings is known for a while', (t) => {
  const pace = new LinkPace();
  t.equal(pace.at(0), undefined);
  pace.began(1_000);
  for (let block = 1; block <= 10; block++) pace.arrived(1_000 + block * 100, 30_000);
  t.equal(pace.at(2_000), 300);
  const last = 1_900;
  t.equal(pace.at(last + PACE_LASTS_MS), 300);
  t.equal(pace.at(last + PACE_LASTS_MS + 1), undefined);
  pace.began(100_000);
  pace.arrived(100_000 + PACE_MS, 10 * PACE_MS);
  t.equal(pace.at(101_000), 10, 'what has become old is no part of it');
  t.end();
});

t.test('what comes at once says nothing, and time without work does not count', (t) => {
  const pace = new LinkPace();
  for (let file = 0; file < 10; file++) {
    pace.began(file * 1_000);
    pace.arrived(file * 1_000 + PACE_MS - 1, 100_000);
  }
  t.equal(pace.at(10_000), undefined);
  t.end();
});
