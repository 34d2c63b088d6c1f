import fc from 'fast-check';
import t from 'tap';

import { MAX_STALLED_MS, PeerPace, STALLED_MS, stalledMs } from '../../../src/actors/transfers/peer-pace.ts';

t.test('a rate is known after a second, and is that of about the last second', (t) => {
  const pace = new PeerPace();
  for (let now = 0; now <= 900; now += 100) {
    pace.sample(now, 0);
    t.equal(pace.rate(), undefined);
    t.notOk(pace.slowerThan(1e9, 0));
  }
  for (let now = 1000; now <= 3000; now += 100) pace.sample(now, (now - 1000) * 50);
  t.equal(pace.rate(), 50);
  t.end();
});

t.test('less than three quarters of what the mirror gave is slow, or half of the part of each', (t) => {
  fc.assert(
    fc.property(fc.nat(1000), fc.integer({ min: 1, max: 1000 }), fc.nat(9), (peers, mirror, wanters) => {
      const pace = new PeerPace();
      for (let now = 0; now <= 2000; now += 100) pace.sample(now, now * peers);
      const least = wanters === 0 ? (3 * mirror) / 4 : mirror / (2 * (wanters + 1));
      return pace.slowerThan(mirror, wanters) === peers < least && !pace.slowerThan(undefined, wanters);
    }),
  );
  t.end();
});

t.test('a pause is no slowness', (t) => {
  const pace = new PeerPace();
  pace.sample(0, 0);
  pace.sample(2000, 10);
  t.ok(pace.slowerThan(1000, 0));
  pace.reset();
  pace.sample(9000, 10);
  t.notOk(pace.slowerThan(1000, 0));
  t.end();
});

t.test('where all are busy a longer silence is no stall yet, within bounds', (t) => {
  t.equal(stalledMs(0), STALLED_MS, 'nothing is known');
  t.equal(stalledMs(5), STALLED_MS);
  t.equal(stalledMs(300), 900);
  t.equal(stalledMs(1e9), MAX_STALLED_MS, 'whoever is slow on purpose gains little');
  t.end();
});
