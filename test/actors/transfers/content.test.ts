import fc from 'fast-check';
import t from 'tap';

import { DebtorrentError } from '../../../src/core/errors.ts';
import type { MirrorUrl, Sha256 } from '../../../src/core/ids.ts';
import { Content, LAST_BLOCK_BYTES, type ContentDeps } from '../../../src/actors/transfers/content.ts';

const SIZE = 1_000_000;
const deps = { spoilt: () => undefined } as unknown as ContentDeps;
const plan = { url: 'http://127.0.0.1/a' as MirrorUrl, sha256: 'ab'.repeat(32) as Sha256, size: SIZE };
const content = () => new Content(deps, plan);
const offset = fc.nat(SIZE - 1);

t.test('what two sources write to is not given out, what is behind it is', (t) => {
  fc.assert(
    fc.property(offset, fc.integer({ min: 1, max: 200_000 }), offset, (start, length, position) => {
      const it = content();
      it.wrote(0, SIZE);
      const hold = { start, end: Math.min(start + length, SIZE) };
      it.hold = hold;
      const end = it.available(position);
      if (end === position) return true;
      return end <= SIZE - LAST_BLOCK_BYTES && (end <= hold.start || position >= hold.end);
    }),
  );
  t.end();
});

t.test('disputed bytes have to come again, and an epoch begins with nothing given out', (t) => {
  const it = content();
  it.wrote(0, SIZE);
  it.released.add(0, 5000);
  it.dispute([{ start: 1000, end: 2000 }]);
  t.equal(it.available(0), 1000);
  t.equal(it.available(2000), SIZE - LAST_BLOCK_BYTES);
  t.notOk(it.complete);
  it.newEpoch();
  t.equal(it.epoch, 1);
  t.equal(it.released.bytes, 0);
  it.wrote(1000, 2000);
  t.ok(it.complete);
  t.end();
});

t.test('what cannot be read to be hashed is not kept: whoever resumes it would fail in the same place', async (t) => {
  const rejecting = (error: Error) => ({
    ...deps,
    store: { ask: async () => ({ path: '/nowhere', ranges: [] }), tell: (kind: string) => told.push(kind) },
    sha256: async () => {
      throw error;
    },
  });
  const told: string[] = [];
  for (const [error, code, becomes] of [
    [Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }), 'STORE_IO', 'discardPartial'],
    [new DebtorrentError('OVERLOADED', 'too many files wait'), 'OVERLOADED', 'parkPartial'],
  ] as const) {
    const it = new Content(rejecting(error) as unknown as ContentDeps, plan);
    await it.open(true);
    it.wrote(0, SIZE);
    await t.rejects(it.hash(SIZE), { code });
    it.park();
    t.equal(told.at(-1), becomes);
  }
});
