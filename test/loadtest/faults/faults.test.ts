import t from 'tap';
import { createMishaps, needsRelay } from '../../../scripts/loadtest/faults/faults.ts';

t.test('mishaps have the shares asked for and follow from the seed', (t) => {
  const faults = { errors: 0.1, reset: 0.05, truncate: 0.2, stall: 0.01 };
  const counts: Record<string, number> = {};
  const next = createMishaps(faults, 'x');
  for (let i = 0; i < 20_000; i++) {
    const kind = next()?.kind ?? 'none';
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  for (const [kind, share] of [
    ['error', 0.1],
    ['reset', 0.05],
    ['truncate', 0.2],
    ['stall', 0.01],
  ] as const) {
    t.ok(Math.abs((counts[kind] ?? 0) / 20_000 - share) < 0.01, `${kind} ${counts[kind]}`);
  }
  const list = (seed: string) => {
    const one = createMishaps(faults, seed);
    return Array.from({ length: 50 }, one);
  };
  t.same(list('a'), list('a'));
  t.notSame(list('a'), list('b'));
  t.end();
});

t.test('no fault of the mirror, no relay', (t) => {
  t.notOk(needsRelay({ restart: 1000, killPeer: 5, errors: 0 }));
  t.ok(needsRelay({ latency: 1 }));
  t.end();
});
