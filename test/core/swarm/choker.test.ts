import fc from 'fast-check';
import t from 'tap';

import { CHOKE_MS, Choker, chokerBounds, OPTIMISTIC_MS, type ChokerPeer } from '../../../src/core/swarm/choker.ts';
import { randomNumbers } from '../../support/random.ts';

const LIMITED = { slots: 4, everybodyUpTo: 4 };
const peer = (key: number, over: Partial<ChokerPeer<number>> = {}): ChokerPeer<number> => ({
  key,
  interested: true,
  gave: 0,
  got: 0,
  ...over,
});
const peers = (count: number) => Array.from({ length: count }, (_, key) => peer(key));

t.test('as long as everybody can be served nobody is choked', (t) => {
  const choker = new Choker<number>({ ...chokerBounds(false), random: Math.random });
  t.equal(choker.evaluate(peers(50), 0).size, 50);
  t.equal(choker.evaluate([...peers(50), peer(99, { interested: false })], 0).size, 51, 'nor who wants nothing');
  t.equal(choker.evaluate(peers(51), CHOKE_MS).size, 50);
  t.equal(new Choker<number>({ ...chokerBounds(true), random: Math.random }).evaluate(peers(9), 0).size, 8);
  t.end();
});

t.test('there are never more unchoked than slots when there are too many, and never fewer', (t) => {
  const round = fc.array(fc.record({ interested: fc.boolean(), gave: fc.nat(1000), got: fc.nat(1000) }), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(fc.array(round, { maxLength: 10 }), fc.string(), (rounds, seed) => {
      const choker = new Choker<number>({ ...LIMITED, random: randomNumbers(seed) });
      const totals = new Map<number, { gave: number; got: number }>();
      let now = 0;
      for (const states of rounds) {
        const all = states.map(({ interested, gave, got }, key) => {
          const before = totals.get(key) ?? { gave: 0, got: 0 };
          const total = { gave: before.gave + gave, got: before.got + got };
          totals.set(key, total);
          return peer(key, { interested, ...total });
        });
        const interested = all.filter((p) => p.interested).length;
        const chosen = choker.evaluate(all, now);
        const expected = interested <= LIMITED.everybodyUpTo ? all.length : LIMITED.slots;
        if (chosen.size !== expected) return false;
        now += CHOKE_MS;
      }
      return true;
    }),
  );
  t.end();
});

t.test('who gives most has a slot', (t) => {
  const choker = new Choker<number>({ ...LIMITED, random: () => 0 });
  const given = (factor: number) => peers(10).map((p) => ({ ...p, gave: p.key * factor }));
  choker.evaluate(given(1), 0);
  const chosen = choker.evaluate(given(1000), CHOKE_MS);
  for (const key of [9, 8, 7]) t.ok(chosen.has(key));
  t.end();
});

t.test('the optimistic slot goes to another every 30 s', (t) => {
  const random = randomNumbers('optimistic');
  const choker = new Choker<number>({ ...LIMITED, random });
  const tried: number[] = [];
  for (let round = 0; round < 12; round++) {
    // Three give so much that their slots are theirs.
    const all = peers(20).map((p) => (p.key < 3 ? { ...p, gave: (round + 1) * 1e6 } : { ...p, got: 0 }));
    const chosen = choker.evaluate(all, round * CHOKE_MS);
    const [optimistic] = [...chosen].filter((key) => key >= 3);
    tried.push(optimistic as number);
  }
  const perPeriod = OPTIMISTIC_MS / CHOKE_MS;
  for (let at = 0; at < tried.length; at++) {
    if (at % perPeriod === 0) {
      if (at > 0) t.not(tried[at], tried[at - 1], 'it changes');
    } else t.equal(tried[at], tried[at - 1], 'it stays meanwhile');
  }
  t.end();
});

t.test('a machine that only seeds serves everybody in turn', (t) => {
  const random = randomNumbers('seed');
  const choker = new Choker<number>({ ...LIMITED, random });
  const got = new Map<number, number>();
  for (let round = 0; round < 40; round++) {
    const all = peers(16).map((p) => ({ ...p, got: got.get(p.key) ?? 0 }));
    for (const key of choker.evaluate(all, round * CHOKE_MS)) got.set(key, (got.get(key) ?? 0) + 1_000_000);
  }
  t.equal(got.size, 16, 'all');
  const amounts = [...got.values()];
  t.ok(Math.max(...amounts) <= 3 * Math.min(...amounts), `about the same: ${amounts.join()}`);
  t.end();
});

t.test('who comes between two evaluations is let in while there is room', (t) => {
  const choker = new Choker<number>({ ...LIMITED, random: () => 0 });
  t.ok(choker.admits(1, 4));
  t.notOk(choker.admits(2, 5));
  t.ok(choker.admits(1, 5), 'who has a slot keeps it');
  choker.remove(1);
  t.notOk(choker.admits(1, 5), 'unless it left');
  t.end();
});
