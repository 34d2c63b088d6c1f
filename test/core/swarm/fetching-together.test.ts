import { createHash } from 'node:crypto';

import fc from 'fast-check';
import t from 'tap';

import { Bitmap } from '../../../src/core/swarm/bitmap.ts';
import { FetchingTogether, PRESUME_MS, SMALL_STALL_MS, STALL_MS } from '../../../src/core/swarm/fetching-together.ts';
import { EXPECT_MS, LEFT_MS, NAME_MS, SILENT_MS } from '../../../src/core/swarm/taker.ts';

const weigh = (piece: number, peer: string) =>
  createHash('sha256').update(`${piece} ${peer}`).digest().readBigUInt64BE();

function bits(pieces: number, set: Iterable<number> = []): Bitmap {
  const bitmap = new Bitmap(pieces);
  for (const piece of set) bitmap.set(piece);
  return bitmap;
}

/** Machines that all see each other from time 0. */
function crowd(names: readonly string[], pieces: number): Map<string, FetchingTogether> {
  return new Map(
    names.map((self) => {
      const together = new FetchingTogether({ self, pieces, weigh });
      for (const other of names) if (other !== self) together.join(other, 0);
      return [self, together];
    }),
  );
}

function planOf(
  together: FetchingTogether,
  pieces: number,
  now: number,
  settled = bits(pieces),
  taking = bits(pieces),
) {
  return together.plan({ now, settled, taking });
}

/** Every machine names what falls to it, and all hear it. */
function tell(machines: ReadonlyMap<string, FetchingTogether>, pieces: number, now: number): void {
  const claims = [...machines].map(([self, together]) => ({ self, mine: planOf(together, pieces, now).mine }));
  for (const { self, mine } of claims) {
    for (const [other, together] of machines) if (other !== self) together.names(self, mine.toBytes(), now);
  }
}

const names = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{8}$/), { minLength: 2, maxLength: 9 });
const pieceCounts = fc.integer({ min: 1, max: 40 });

t.test('of machines that see each other exactly one takes each piece, at once and as long as they say so', (t) => {
  fc.assert(
    fc.property(names, pieceCounts, (all, pieces) => {
      const machines = crowd(all, pieces);
      for (let now = 0; now < SMALL_STALL_MS; now += 200) {
        const takers = new Array<number>(pieces).fill(0);
        for (const together of machines.values()) {
          const { mine, elsewhere } = planOf(together, pieces, now);
          for (const piece of mine) takers[piece] = (takers[piece] ?? 0) + 1;
          if (mine.count + elsewhere.count !== pieces) return false;
        }
        if (!takers.every((count) => count === 1)) return false;
        tell(machines, pieces, now);
      }
      return true;
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('the pieces of one who leaves go to the next, each to exactly one', (t) => {
  fc.assert(
    fc.property(names, pieceCounts, (all, pieces) => {
      const machines = crowd(all, pieces);
      tell(machines, pieces, 0);
      const [gone, ...rest] = all as [string, ...string[]];
      const before = new Map(
        rest.map((name) => [name, planOf(machines.get(name) as FetchingTogether, pieces, 100).mine]),
      );
      const orphans = planOf(machines.get(gone) as FetchingTogether, pieces, 100).mine;
      machines.delete(gone);
      for (const together of machines.values()) together.leave(gone, 100, bits(pieces));
      const takers = new Array<number>(pieces).fill(0);
      for (const [name, together] of machines) {
        const { mine } = planOf(together, pieces, 100);
        for (const piece of mine) takers[piece] = (takers[piece] ?? 0) + 1;
        // Nothing else changes hands.
        for (const piece of mine) if (!orphans.has(piece) && before.get(name)?.has(piece) !== true) return false;
      }
      return takers.every((count) => count === 1);
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('whatever others do, a piece is one’s own after a bounded time', (t) => {
  const act = fc.record({
    at: fc.nat(20_000),
    peer: fc.nat(4),
    kind: fc.constantFrom('names', 'silent', 'leaves', 'joins'),
    pieces: fc.uniqueArray(fc.nat(9)),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const pieces = 10;
      const together = new FetchingTogether({ self: 'self', pieces, weigh });
      const peers = ['a', 'b', 'c', 'd', 'e'];
      for (const peer of peers) together.join(peer, 0);
      for (const { at, peer, kind, pieces: named } of acts.toSorted((a, b) => a.at - b.at)) {
        const name = peers[peer] as string;
        if (kind === 'names') together.names(name, bits(pieces, named).toBytes(), at);
        if (kind === 'leaves') together.leave(name, at, bits(pieces));
        if (kind === 'joins') together.join(name, at);
        planOf(together, pieces, at);
      }
      // They go on to name everything and deliver nothing.
      const end = 20_000 + STALL_MS + SILENT_MS + 5 * NAME_MS;
      for (let now = 20_000; now <= end; now += 500) {
        for (const peer of peers) together.names(peer, bits(pieces, [...Array(pieces).keys()]).toBytes(), now);
        planOf(together, pieces, now);
      }
      return planOf(together, pieces, end + SILENT_MS).mine.count === pieces;
    }),
    { numRuns: 100 },
  );
  t.end();
});

/** Two machines and a piece that falls to the other one. */
function pair(pieces = 1): { together: FetchingTogether; piece: number; self: string } {
  for (let n = 0; ; n++) {
    const self = `self${n}`;
    const together = new FetchingTogether({ self, pieces, weigh });
    together.join('other', 0);
    const [piece] = planOf(together, pieces, 0).elsewhere;
    if (piece !== undefined) return { together, piece, self };
  }
}

t.test('a taker has some time to name its piece, and to name it again', (t) => {
  const { together } = pair();
  t.equal(planOf(together, 1, NAME_MS - 1).elsewhere.count, 1);
  t.equal(planOf(together, 1, 0).until, NAME_MS);
  t.equal(planOf(together, 1, NAME_MS).mine.count, 1);
  together.names('other', bits(1, [0]).toBytes(), 200);
  t.equal(planOf(together, 1, NAME_MS).elsewhere.count, 1);
  t.equal(planOf(together, 1, 200 + SILENT_MS - 1).elsewhere.count, 1);
  t.equal(planOf(together, 1, 200 + SILENT_MS).mine.count, 1);
  t.end();
});

t.test('machines that expect each other share the pieces before they have heard of each other', (t) => {
  fc.assert(
    fc.property(names, pieceCounts, (all, pieces) => {
      const machines = new Map(all.map((self) => [self, new FetchingTogether({ self, pieces, weigh })]));
      for (const [self, together] of machines) {
        for (const other of all) if (other !== self) together.expect(other, 0);
      }
      const takers = Array.from({ length: pieces }, () => 0);
      for (const together of machines.values()) {
        for (const piece of planOf(together, pieces, EXPECT_MS - 1).mine) takers[piece] = (takers[piece] ?? 0) + 1;
      }
      return takers.every((count) => count === 1);
    }),
  );
  t.end();
});

t.test('who came to the file earlier is left all of it until it has said what it takes, or gone silent', (t) => {
  for (const answer of [true, false]) {
    const together = new FetchingTogether({ self: 'self', pieces: 40, weigh });
    together.presume('other', 100);
    t.notOk(together.alone);
    const plan = planOf(together, 40, 100);
    t.strictSame([plan.mine.count, plan.elsewhere.count, plan.until], [0, 40, 100 + PRESUME_MS]);
    if (answer) together.answered('other');
    t.equal(planOf(together, 40, answer ? 101 : 100 + PRESUME_MS).mine.count, 40);
  }
  t.end();
});

t.test('one that was expected and does not come is not waited for, and has broken no word', (t) => {
  const { self } = pair();
  const together = new FetchingTogether({ self, pieces: 1, weigh });
  together.expect('other', 0);
  t.equal(together.expected(0), 1);
  t.match(planOf(together, 1, 0), { until: EXPECT_MS });
  t.equal(planOf(together, 1, EXPECT_MS).mine.count, 1);
  t.equal(together.expected(EXPECT_MS), 0);
  t.equal(together.word('other'), 'kept');
  together.join('other', EXPECT_MS);
  t.equal(planOf(together, 1, EXPECT_MS + NAME_MS - 1).elsewhere.count, 1, 'when it comes it has the usual time');
  t.equal(together.unexpect('other', EXPECT_MS), false);
  const another = new FetchingTogether({ self, pieces: 1, weigh });
  another.expect('other', 0);
  t.equal(another.unexpect('other', 10), true);
  t.equal(planOf(another, 1, 10).mine.count, 1, 'its answer ends the waiting');
  t.end();
});

t.test('one who names pieces for ever and delivers none is not waited for', (t) => {
  const { together } = pair();
  for (let now = 0; now <= SMALL_STALL_MS; now += 500) together.names('other', bits(1, [0]).toBytes(), now);
  t.equal(planOf(together, 1, SMALL_STALL_MS - 1).elsewhere.count, 1);
  t.equal(planOf(together, 1, SMALL_STALL_MS).mine.count, 1);
  together.delivered('other', SMALL_STALL_MS + 1);
  together.names('other', bits(1, [0]).toBytes(), SMALL_STALL_MS + 1);
  t.equal(planOf(together, 1, SMALL_STALL_MS + 2).elsewhere.count, 1, 'until it keeps its word');
  t.end();
});

t.test('where a piece takes this machine long itself others are given longer', (t) => {
  const { together } = pair();
  const plan = (now: number, pace: number) =>
    together.plan({ now, settled: bits(1), taking: bits(1), pace }).elsewhere.count;
  for (let now = 0; now <= 10_000; now += 500) together.names('other', bits(1, [0]).toBytes(), now);
  t.equal(plan(10_000, 4_000), 1);
  t.equal(plan(10_000, 1_000), 0);
  t.end();
});

t.test('leaving off and beginning anew gains one who delivers nothing no time', (t) => {
  const { together } = pair();
  let waited = 0;
  for (let now = 0; now < 20_000; now += 50) {
    together.names('other', bits(1, now % 1_000 < 900 ? [0] : []).toBytes(), now);
    waited += planOf(together, 1, now).elsewhere.count * 50;
  }
  t.ok(waited < SMALL_STALL_MS + SILENT_MS, `${waited} ms`);
  t.equal(together.word('other'), 'stalled');
  t.end();
});

t.test('many who take turns in promising cost no more than a few', (t) => {
  const together = new FetchingTogether({ self: 'self', pieces: 4, weigh });
  let waited = 0;
  for (let now = 0; now < 200_000; now += 100) {
    const peer = `peer${Math.floor(now / STALL_MS)}`;
    if (now % STALL_MS === 0) together.join(peer, now);
    together.names(peer, bits(4, [0, 1, 2, 3]).toBytes(), now);
    if (planOf(together, 4, now).elsewhere.count > 0) waited += 100;
  }
  t.ok(waited < 5 * STALL_MS, `${waited} ms`);
  t.end();
});

t.test('nor do many of whom each promises for a while and leaves before the next one comes', (t) => {
  for (const turnMs of [STALL_MS - 1_000, LEFT_MS - 100, NAME_MS + 100]) {
    const together = new FetchingTogether({ self: 'self', pieces: 4, weigh });
    let waited = 0;
    for (let now = 0; now < 20 * turnMs; now += 100) {
      const peer = `peer${Math.floor(now / turnMs)}`;
      together.join(peer, now);
      together.names(peer, bits(4, [0, 1, 2, 3]).toBytes(), now);
      if (planOf(together, 4, now).elsewhere.count > 0) waited += 100;
      if (Math.floor((now + 100) / turnMs) > Math.floor(now / turnMs)) together.leave(peer, now + 100, bits(4));
    }
    t.ok(waited <= 3 * turnMs + 300, `${waited} ms`);
  }
  t.end();
});

t.test('three that leave in the middle of their work end no waiting for the others', (t) => {
  const together = new FetchingTogether({ self: 'self', pieces: 8, weigh });
  const all = bits(8, [0, 1, 2, 3, 4, 5, 6, 7]).toBytes();
  for (const peer of ['a', 'b', 'c', 'd']) {
    together.join(peer, 0);
    together.names(peer, all, 0);
    together.delivered(peer, 2_000);
    together.names(peer, all, 2_000);
  }
  for (const peer of ['a', 'b', 'c']) together.leave(peer, 2_000 + LEFT_MS, bits(8));
  together.names('d', all, 2_000 + LEFT_MS);
  t.equal(planOf(together, 8, 2_000 + LEFT_MS).elsewhere.count, 8);
  t.equal(together.word('a'), 'stalled', 'though they have broken their word');
  t.end();
});

t.test('who names pieces and leaves has broken its word when somebody waits for them, and kept it otherwise', (t) => {
  for (const [ms, settled, word] of [
    [LEFT_MS, [], 'stalled'],
    [LEFT_MS, [0], 'kept'],
    [NAME_MS, [], 'passed'],
    [NAME_MS - 1, [], 'kept'],
  ] as const) {
    const { together } = pair();
    together.names('other', bits(1, [0]).toBytes(), 0);
    together.leave('other', ms, bits(1, settled));
    t.equal(together.word('other'), word, `after ${ms} ms`);
    together.join('other', ms + 1);
    t.equal(together.word('other'), word, 'also when it comes back');
  }
  const { together } = pair(8);
  together.names('other', bits(8, [0, 1]).toBytes(), 0);
  together.delivered('other', 3_900);
  together.leave('other', 4_000, bits(8, [0]));
  t.equal(together.word('other'), 'kept', 'one that has just delivered something');
  t.end();
});

t.test('what somebody took before the others came is left to it, and what is being taken is not given up', (t) => {
  const together = new FetchingTogether({ self: 'self', pieces: 8, weigh });
  together.join('early', 0);
  together.names('early', bits(8, [0, 1, 2, 3, 4, 5, 6, 7]).toBytes(), 0);
  t.equal(planOf(together, 8, 1).elsewhere.count, 8);
  const taking = bits(8, [3]);
  t.ok(planOf(together, 8, 1, bits(8), taking).mine.has(3));
  t.end();
});

t.test('one with nothing left takes a piece from one that is far behind and slower than itself', (t) => {
  const pieces = 16;
  const together = new FetchingTogether({ self: 'self', pieces, weigh });
  for (const peer of ['slow', 'fast']) together.join(peer, 0);
  const falls = (piece: number) =>
    ['self', 'slow', 'fast'].toSorted((a, b) => (weigh(piece, a) > weigh(piece, b) ? -1 : 1));
  const all = Array.from({ length: pieces }, (_, piece) => piece);
  const mine = all.filter((piece) => falls(piece)[0] === 'self');
  const slows = all.filter((piece) => falls(piece)[0] === 'slow');
  const fasts = all.filter((piece) => falls(piece)[0] === 'fast');
  together.names('slow', bits(pieces, slows).toBytes(), 900);
  together.names('fast', bits(pieces, fasts).toBytes(), 900);
  together.delivered('slow', 900);
  const settled = bits(pieces, mine);
  const plan = (pace: number | undefined) => together.plan({ now: 1_000, settled, taking: bits(pieces), pace });
  const next = slows.slice(1).filter((piece) => falls(piece)[1] === 'self');
  t.ok(next.length > 0, 'there is such a piece');
  t.same([...plan(100).mine], next.slice(-1));
  t.same([...plan(600).mine], [], 'not when it is no faster itself');
  t.same([...plan(undefined).mine], [], 'nor when it does not know');
  for (let n = 0; n < 20; n++) together.delivered('slow', 900);
  t.same([...plan(10).mine], [], 'nor of one that will be done soon');
  t.end();
});

t.test('bitmaps of another file are refused, machines beyond the bound are not reckoned with', (t) => {
  const together = new FetchingTogether({ self: 'self', pieces: 3, weigh });
  together.join('a', 0);
  t.notOk(together.names('a', Buffer.from([0x10]), 0), 'a spare bit');
  t.notOk(together.names('a', Buffer.from([0, 0]), 0), 'too long');
  for (let n = 0; n < 1_000; n++) together.join(`peer${n}`, 0);
  t.ok(planOf(together, 3, 0));
  t.end();
});

t.test('of two that begin with the same piece before they hear of each other, one leaves it to the other', (t) => {
  const machines = crowd(['a', 'b'], 1);
  const taking = bits(1, [0]);
  const none = bits(1);
  const minds = (begun: Bitmap) =>
    [...machines.values()].map((each) => each.plan({ now: 10, settled: bits(1), taking, begun }).mine.has(0));
  t.same(minds(none), [true, true], 'as long as neither knows');
  machines.get('a')?.names('b', taking.toBytes(), 10);
  machines.get('b')?.names('a', taking.toBytes(), 10);
  t.equal(minds(none).filter(Boolean).length, 1, 'one goes on');
  t.same(minds(taking), [true, true], 'but nobody leaves what has begun to come');
  t.end();
});
