import fc from 'fast-check';
import t from 'tap';

import { RangeSet } from '../../../src/core/range-set.ts';
import {
  Leaving,
  type Holders,
  leaveRest,
  leftToHolders,
  leftToTakers,
  REST_BYTES,
  REST_MS,
} from '../../../src/actors/transfers/leaving.ts';

import { PeerDirectory, type PeersRef } from '../../../src/actors/transfers/peer-directory.ts';

const MIB = 1024 * 1024;

t.test('a range that another takes is left to it as long as less than a quarter has come', (t) => {
  const elsewhere = [{ start: MIB, end: 3 * MIB }];
  const job = { start: MIB, end: 2 * MIB, bytes: 0, ms: 10 };
  t.ok(leftToTakers(job, elsewhere));
  t.ok(leftToTakers({ ...job, bytes: MIB / 4 - 1 }, elsewhere));
  t.notOk(leftToTakers({ ...job, bytes: MIB / 4 }, elsewhere));
  t.notOk(leftToTakers({ ...job, start: 0, end: 2 * MIB }, elsewhere), 'nobody takes all of it');
  t.notOk(leftToTakers({ ...job, end: undefined }, elsewhere), 'how long it is nobody knows');
  t.notOk(leftToTakers(job, []));
  t.end();
});

t.test('a rest that others have is left to them when the mirror would take long for it', (t) => {
  const available = [{ start: 0, end: 4 * MIB }];
  const slow = { start: MIB, end: 2 * MIB, bytes: MIB / 4, ms: 1_000 };
  t.ok(leftToHolders(slow, available));
  t.notOk(leftToHolders({ ...slow, ms: 100 }, available), 'it is quick');
  t.notOk(leftToHolders({ ...slow, bytes: MIB - REST_BYTES + 1, ms: 1e6 }, available), 'hardly anything is left');
  t.notOk(leftToHolders(slow, [{ start: 0, end: 2 * MIB - 1 }]), 'they have not all of it');
  t.ok(leftToHolders(slow, [{ start: MIB + MIB / 4, end: 2 * MIB }]), 'what has come they need not have');
  t.notOk(leftToHolders({ ...slow, bytes: 0, ms: REST_MS / 2 - 1 }, available), 'it was asked for just now');
  t.ok(leftToHolders({ ...slow, bytes: 0, ms: REST_MS }, available), 'nothing comes');
  t.notOk(leftToHolders({ ...slow, end: undefined }, available));
  t.end();
});

t.test('the longer a mirror takes for the same bytes the sooner the rest is left to others', (t) => {
  fc.assert(
    fc.property(fc.nat(MIB), fc.integer({ min: 1, max: 60_000 }), fc.nat(60_000), (bytes, ms, more) => {
      const available = [{ start: 0, end: MIB }];
      const job = { start: 0, end: MIB, bytes, ms };
      return !leftToHolders(job, available) || leftToHolders({ ...job, ms: ms + more }, available);
    }),
  );
  t.end();
});

t.test('what was left to peers once and did not come is not left to them again', (t) => {
  const leaving = new Leaving(() => true);
  const elsewhere = [{ start: 0, end: 4 * MIB }];
  const all = { available: elsewhere, alone: true, pace: undefined };
  const job = { start: MIB, end: 2 * MIB, bytes: MIB / 2, ms: 5_000 };
  t.ok(leaving.leaves(job, [], all));
  t.notOk(leaving.leaves(job, [], all));
  t.ok(leaving.leaves({ ...job, start: 2 * MIB, end: 3 * MIB }, [], all), 'another is');
  t.ok(leaving.leaves({ ...job, bytes: 0 }, elsewhere, { ...all, available: [] }), 'and so is one that somebody takes');
  t.end();
});

t.test('nothing is left to peers that are slower than the mirror, but where others want its bytes too', (t) => {
  const all = { available: [{ start: 0, end: 4 * MIB }], alone: true, pace: 0.7 };
  // A byte a millisecond.
  const job = { start: 0, end: MIB, bytes: 5_000, ms: 5_000 };
  const leaves = (holders: Holders) => new Leaving(() => false).leaves(job, [], holders);
  t.notOk(leaves(all));
  t.ok(leaves({ ...all, pace: 0.8 }), 'they are about as quick');
  t.ok(leaves({ ...all, alone: false }));
  t.notOk(leaves({ ...all, pace: undefined }), 'others are being tried out');
  t.ok(leaves({ ...all, alone: false, pace: undefined }));
  t.end();
});

t.test('peers whose pace nobody knows are tried out with one range at a time', (t) => {
  const directory = new PeerDirectory({} as PeersRef);
  const leaving = new Leaving(() => directory.tryOut(1_000));
  const all = { available: [{ start: 0, end: 4 * MIB }], alone: true, pace: undefined };
  const job = { start: 0, end: MIB, bytes: 0, ms: 5_000 };
  t.ok(leaving.leaves(job, [], all));
  t.notOk(leaving.leaves({ ...job, start: MIB, end: 2 * MIB }, [], all));
  directory.delivered();
  t.ok(leaving.leaves({ ...job, start: MIB, end: 2 * MIB }, [], all), 'the first one came');
  t.notOk(directory.tryOut(2_999));
  t.ok(directory.tryOut(3_000), 'what does not come is not waited for');
  t.end();
});

t.test('until all have answered one piece is asked for: the first that nobody brings, from where it is needed', (t) => {
  const left = (taken: readonly (readonly [number, number])[], focus: number | undefined) => {
    const set = new RangeSet();
    for (const [start, end] of taken) set.add(start, end);
    leaveRest(set, 5 * MIB + 10, focus);
    return set.missing(0, 5 * MIB + 10);
  };
  t.strictSame(left([], 0), [{ start: 0, end: MIB }]);
  t.strictSame(left([[MIB, 3 * MIB]], MIB + 5), [{ start: 3 * MIB, end: 4 * MIB }]);
  t.strictSame(left([[0, 5 * MIB]], 0), [{ start: 5 * MIB, end: 5 * MIB + 10 }]);
  t.strictSame(left([[2 * MIB, 5 * MIB + 10]], 3 * MIB), [], 'nothing from there on');
  t.strictSame(left([], undefined), [], 'one is under way');
  t.end();
});
