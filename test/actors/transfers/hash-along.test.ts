import t from 'tap';

import type { Sha256 } from '../../../src/core/ids.ts';
import type { ReadyMark } from '../../../src/core/ready-mark.ts';
import { HashAlong } from '../../../src/actors/transfers/hash-along.ts';

const MIB = 1024 * 1024;
const DIGEST = 'ab'.repeat(32) as Sha256;

/** A file whose pool says when it begins, and ends when the mark says that all is there. */
function scene(size: number) {
  let now = 1000;
  const marks: ReadyMark[] = [];
  let hashed = (_sha256: Sha256 | undefined): void => undefined;
  const it = new HashAlong({
    path: 'f',
    size,
    along(_path, _size, mark) {
      marks.push(mark);
      return new Promise((resolve) => (hashed = resolve));
    },
    now: () => now,
  });
  return {
    it,
    marks,
    after: (ms: number) => (now += ms),
    hashed: (sha256: Sha256 | undefined) => hashed(sha256),
  };
}

t.test('what comes fast is hashed from the start, where it is there without a gap', async (t) => {
  const { it, marks, after, hashed } = scene(16 * MIB);
  it.advance(MIB, 4 * MIB);
  t.equal(marks.length, 0, 'how fast it comes is not known');
  after(10);
  it.advance(2 * MIB, 8 * MIB);
  t.equal(marks.length, 1);
  t.equal(marks[0]?.end, 2 * MIB);
  it.advance(4 * MIB, 12 * MIB);
  t.equal(marks.length, 1);
  t.equal(marks[0]?.end, 4 * MIB);
  const whole = it.finish();
  t.ok((marks[0]?.end ?? 0) >= 16 * MIB);
  hashed(DIGEST);
  t.equal(await whole, DIGEST);
});

t.test('what comes slowly is hashed when the rest will be there in a moment', (t) => {
  const { it, marks, after } = scene(100 * MIB);
  for (let mib = 1; mib <= 60; mib++) {
    it.advance(mib * MIB, mib * MIB);
    after(100);
  }
  t.equal(marks.length, 0, 'four seconds are left');
  for (let mib = 61; mib <= 99; mib++) {
    it.advance(mib * MIB, mib * MIB);
    after(100);
  }
  t.equal(marks.length, 1);
  t.end();
});

t.test('nothing is said where the pool was not asked, cannot hash it, or what came is void', async (t) => {
  t.equal(await scene(4 * MIB).it.finish(), undefined);
  const { it, marks, after, hashed } = scene(4 * MIB);
  it.advance(MIB, MIB);
  after(1);
  it.advance(2 * MIB, 2 * MIB);
  it.close();
  t.ok(marks[0]?.isVoid);
  const whole = it.finish();
  hashed(undefined);
  t.equal(await whole, undefined);
  const failing = new HashAlong({
    path: 'f',
    size: 2 * MIB,
    along: () => Promise.reject(new Error('no')),
    now: () => after(1),
  });
  failing.advance(1, 1);
  failing.advance(MIB, MIB);
  t.equal(await failing.finish(), undefined);
});
