import fc from 'fast-check';
import t from 'tap';

import { RangeSet, type ByteRange } from '../../../src/core/range-set.ts';
import { nextRanges } from '../../../src/actors/transfers/range-plan.ts';
import { divide, intersect, PEER_JOB_BYTES, union, without } from '../../../src/actors/transfers/source-plan.ts';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;

const list = (maxLength: number, step = 1) =>
  fc.array(fc.tuple(fc.nat(SIZE / step), fc.nat((8 * MIB) / step)), { maxLength }).map((pairs) => {
    const set = new RangeSet();
    for (const [start, length] of pairs) set.add(start * step, Math.min((start + length) * step, SIZE));
    return set;
  });

const input = fc
  .record({
    have: list(4),
    mirrors: list(3),
    peers: list(3, MIB),
    available: list(6, MIB),
    elsewhere: list(4, MIB),
    focus: fc.nat(SIZE + MIB),
    slots: fc.integer({ min: 0, max: 4 }),
    soonestBesides: fc.boolean(),
    mirrorHelps: fc.boolean(),
  })
  .map(({ mirrors, peers, available, elsewhere, ...rest }) => ({
    ...rest,
    size: SIZE,
    atMirrors: without(mirrors.ranges, rest.have),
    atPeers: without(without(peers.ranges, rest.have), mirrors),
    available: [...available.ranges],
    elsewhere: [...elsewhere.ranges],
  }));

const within = (range: ByteRange, set: RangeSet) => set.covers(range.start, range.end);
const apart = (range: ByteRange, ranges: readonly ByteRange[]) => intersect([range], ranges).length === 0;

t.test('peers are asked only for what they have and nobody else brings, in bounded jobs', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const { peers } = divide(plan);
      const busy = union(plan.have.ranges, plan.atMirrors, plan.atPeers);
      const available = union(plan.available);
      return (
        peers.length <= Math.max(plan.slots, plan.soonestBesides ? 1 : 0) &&
        peers.every((range, n) => {
          const { start, end } = range;
          const others = peers.filter((_, other) => other !== n);
          const sane = start < end && end <= SIZE && end - start <= PEER_JOB_BYTES;
          return sane && within(range, available) && apart(range, busy.ranges) && apart(range, union(others).ranges);
        })
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('what mirrors are asked for comes from nobody else', (t) => {
  fc.assert(
    fc.property(input, fc.integer({ min: MIB, max: 32 * MIB }), (plan, jobBytes) => {
      const { peers, taken } = divide(plan);
      const others = union(
        plan.have.ranges,
        plan.atPeers,
        peers,
        plan.elsewhere,
        plan.mirrorHelps ? [] : plan.available,
      );
      const ranges = nextRanges({
        size: SIZE,
        have: taken,
        inFlight: plan.atMirrors,
        foci: [plan.focus],
        jobBytes,
        connections: 8,
        align: MIB,
      });
      return ranges.every((range) => apart(range, others.ranges) && apart(range, plan.atMirrors));
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('nothing is forgotten: a byte is there, on its way, left to others, or free for the mirror', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const { taken } = divide(plan);
      const known = union(plan.have.ranges, plan.atPeers, plan.available, plan.elsewhere);
      return taken.missing(0, SIZE).every((gap) => plan.mirrorHelps || apart(gap, known.ranges));
    }),
  );
  t.end();
});

t.test('peers that have everything leave nothing to the mirror', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const { taken } = divide({ ...plan, available: [{ start: 0, end: SIZE }], mirrorHelps: false });
      return taken.covers(0, SIZE);
    }),
  );
  t.end();
});

t.test('what is waited for comes first', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const { peers } = divide({ ...plan, soonestBesides: false });
      const busy = union(plan.have.ranges, plan.atMirrors, plan.atPeers);
      const focus = Math.min(plan.focus, SIZE);
      const order = [...busy.missing(focus, SIZE), ...busy.missing(0, focus)];
      const [soonest] = order.flatMap((gap) => intersect([gap], plan.available));
      return peers[0]?.start === (plan.slots > 0 ? soonest?.start : undefined);
    }),
  );
  t.end();
});

t.test('what is waited for and peers have is always under way, however many jobs they have', (t) => {
  fc.assert(
    fc.property(input, (plan) => {
      const { peers } = divide({ ...plan, soonestBesides: true });
      const focus = Math.min(plan.focus, SIZE);
      const [soonest] = [...plan.have.missing(focus, SIZE), ...plan.have.missing(0, focus)];
      if (soonest === undefined || !union(plan.available).covers(soonest.start, soonest.start + 1)) return true;
      const coming = union(plan.atMirrors, plan.atPeers, peers);
      return coming.covers(soonest.start, soonest.start + 1);
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('a small file is one job', (t) => {
  const plan = {
    size: 60_000,
    have: new RangeSet(),
    atMirrors: [],
    atPeers: [],
    available: [{ start: 0, end: 60_000 }],
    elsewhere: [],
    focus: 0,
    slots: 4,
    soonestBesides: false,
    mirrorHelps: false,
  };
  t.strictSame(divide(plan).peers, [{ start: 0, end: 60_000 }]);
  t.end();
});

t.test('mirror jobs end at whole pieces where others wait for these', (t) => {
  fc.assert(
    fc.property(list(4), fc.nat(SIZE), fc.integer({ min: MIB, max: 32 * MIB }), (have, focus, jobBytes) => {
      const input = { size: SIZE, have, inFlight: [], foci: [focus], jobBytes, connections: 4, align: MIB };
      return nextRanges(input).every(
        ({ end }) => end % MIB === 0 || end === focus || !have.missing(end, end + 1).length,
      );
    }),
  );
  t.end();
});

t.test('set operations agree with membership of single bytes', (t) => {
  fc.assert(
    fc.property(list(5), list(5), fc.nat(SIZE - 1), (a, b, byte) => {
      const has = (ranges: readonly ByteRange[]) => ranges.some(({ start, end }) => start <= byte && byte < end);
      const [inA, inB] = [has(a.ranges), has(b.ranges)];
      return (
        has(union(a.ranges, b.ranges).ranges) === (inA || inB) &&
        has(intersect(a.ranges, b.ranges)) === (inA && inB) &&
        has(without(a.ranges, b)) === (inA && !inB)
      );
    }),
    { numRuns: 1000 },
  );
  t.end();
});
