import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import type { Sha256 } from '../../../src/core/ids.ts';
import { rank, weight } from '../../../src/core/swarm/weights.ts';
import { peerId, sha256 } from './arbitraries.ts';

const piece = fc.nat(65_535);
const peers = fc.uniqueArray(peerId, { minLength: 1, maxLength: 8 });

t.test('a weight is as the documentation says', async (t) => {
  fc.assert(
    fc.property(sha256, piece, peerId, (file, piece, peer) => {
      const text = file + piece.toString(16).padStart(8, '0') + peer;
      const digest = createHash('sha256').update(Buffer.from(text, 'hex')).digest('hex');
      t.equal(weight(file, piece, peer), BigInt(`0x${digest.slice(0, 16)}`));
    }),
  );
});

t.test('the order is by weight, the same for all, whoever they heard of first', async (t) => {
  fc.assert(
    fc.property(sha256, piece, peers, (file, piece, ids) => {
      const order = rank(file, piece, ids);
      t.same(order.toSorted(), ids.toSorted());
      for (const [k, id] of order.entries()) {
        const next = order[k + 1];
        if (next !== undefined) t.ok(weight(file, piece, id) > weight(file, piece, next));
      }
      t.same(rank(file, piece, ids.toReversed()), order);
    }),
  );
});

t.test('when one leaves, only its pieces go to others', async (t) => {
  fc.assert(
    fc.property(sha256, piece, peers, fc.nat(), (file, piece, ids, n) => {
      const leaver = ids[n % ids.length];
      const order = rank(file, piece, ids);
      t.same(
        rank(
          file,
          piece,
          ids.filter((id) => id !== leaver),
        ),
        order.filter((id) => id !== leaver),
      );
    }),
  );
});

t.test('eight machines share the pieces of a file about evenly', async (t) => {
  const ids = Array.from({ length: 8 }, (_, k) => createHash('sha1').update(`peer ${k}`).digest('hex'));
  const file = createHash('sha256').update('a file').digest('hex') as Sha256;
  const shares = new Map<string, number>();
  for (let index = 0; index < 800; index++) {
    const first = rank(file, index, ids)[0] ?? '';
    shares.set(first, (shares.get(first) ?? 0) + 1);
  }
  t.equal(shares.size, 8);
  for (const share of shares.values()) t.ok(share > 60 && share < 140, `${share} of 800`);
});
