import fc from 'fast-check';
import t from 'tap';

import { TokenBucket } from '../../../src/core/swarm/token-bucket.ts';

const steps = fc.array(fc.record({ pause: fc.nat(3000), units: fc.integer({ min: 1, max: 1000 }) }), {
  maxLength: 200,
});

t.test('in any time t no more than rate * t + burst goes through', (t) => {
  const rate = fc.integer({ min: 1, max: 5000 });
  fc.assert(
    fc.property(rate, fc.integer({ min: 1000, max: 4000 }), steps, (rate, burst, steps) => {
      const bucket = new TokenBucket({ rate, burst });
      const taken: { at: number; units: number }[] = [];
      let now = 1_000_000;
      for (const { pause, units } of steps) {
        now += pause;
        if (bucket.take(units, now) === 0) taken.push({ at: now, units });
      }
      for (let first = 0; first < taken.length; first++) {
        let sum = 0;
        for (const { at, units } of taken.slice(first)) {
          sum += units;
          const since = at - (taken[first]?.at ?? 0);
          if (sum > (rate * since) / 1000 + burst + 1e-6) return false;
        }
      }
      return true;
    }),
  );
  t.end();
});

t.test('who waits as long as was said gets what was asked for, and not much later than the rate allows', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), steps, (rate, steps) => {
      const bucket = new TokenBucket({ rate, burst: 1000 });
      let now = 0;
      let total = 0;
      for (const { units } of steps) {
        const wait = bucket.take(units, now);
        if (wait > 0) {
          now += wait;
          if (bucket.take(units, now) !== 0) return false;
        }
        total += units;
      }
      // One millisecond is lost for each time that it was rounded up.
      return now <= (Math.max(0, total - 1000) * 1000) / rate + steps.length + 1;
    }),
  );
  t.end();
});

t.test('rate 0 is no limit', (t) => {
  const bucket = new TokenBucket({ rate: 0 });
  t.notOk(bucket.limited);
  for (let n = 0; n < 100; n++) t.equal(bucket.take(1e12, 0), 0);
  t.end();
});

t.test('more than the burst at once goes when the bucket is full, and is paid for', (t) => {
  const bucket = new TokenBucket({ rate: 1000, burst: 100 });
  t.equal(bucket.take(350, 0), 0);
  t.equal(bucket.take(100, 0), 350);
  t.equal(bucket.take(100, 349), 1);
  t.equal(bucket.take(100, 350), 0);
  t.end();
});

t.test('a block always fits, whatever the rate', (t) => {
  t.equal(new TokenBucket({ rate: 1 }).take(128 * 1024, 0), 0);
  t.throws(() => new TokenBucket({ rate: -1 }));
  t.throws(() => new TokenBucket({ rate: Number.NaN }));
  t.throws(() => new TokenBucket({ rate: 1, burst: 0 }));
  t.end();
});

t.test('a clock that is set back gives nothing and holds nothing up', (t) => {
  const bucket = new TokenBucket({ rate: 1000, burst: 100 });
  t.equal(bucket.take(100, 1_000_000), 0);
  t.equal(bucket.take(100, 500), 100);
  t.equal(bucket.take(100, 600), 0);
  t.end();
});

t.test('who spends what is here already and waits as long as is said keeps to the rate, as do several at once', (t) => {
  const most = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 8 }), most, (rate, many, units) => {
      const bucket = new TokenBucket({ rate, burst: 1000 });
      const ready = Array.from({ length: many }, () => 0);
      let total = 0;
      for (const [n, each] of units.entries()) {
        // Whose time comes first spends next.
        const now = Math.min(...ready);
        const who = ready.indexOf(now);
        ready[who] = now + bucket.spend(each, now);
        total += each;
        const paid = ((total - 1000) * 1000) / rate;
        if (now < paid - (many * 1000 * 1000) / rate - 1) return false;
        // Nobody waits longer than all that was spent until now takes; a millisecond is lost where it was rounded up.
        if (ready[who] > Math.max(paid, 0) + n + 2) return false;
      }
      return true;
    }),
  );
  t.equal(new TokenBucket({ rate: 0 }).spend(1e12, 0), 0);
  t.end();
});
