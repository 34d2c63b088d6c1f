import t from 'tap';
import type { InfoHash } from '../../../src/core/ids.ts';
import { AGAIN_MS, FoundAddresses, PER_MINUTE } from '../../../src/core/swarm/found-addresses.ts';

const [A, B] = ['aa'.repeat(20), 'bb'.repeat(20)] as [InfoHash, InfoHash];
const some = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => ({ host: `8.0.${(from + n) >> 8}.${(from + n) & 255}`, port: 9989 }));

t.test('an address is reported once for each torrent and source, and again after a while', async (t) => {
  const found = new FoundAddresses();
  const [one] = some(1);
  if (one === undefined) return;
  t.same(found.fresh(A, 'lan', [one, one], 0), [one]);
  t.same(found.fresh(A, 'lan', [one], AGAIN_MS - 1), []);
  t.same(found.fresh(B, 'lan', [one], 1), [one]);
  t.same(found.fresh(A, 'pex', [one], 1), [one]);
  t.same(found.fresh(A, 'lan', [one], AGAIN_MS), [one]);
});

t.test('a source may name so many different addresses in a minute', async (t) => {
  const found = new FoundAddresses();
  t.equal(found.fresh(A, 'dht', some(1000), 0).length, PER_MINUTE);
  t.equal(found.fresh(B, 'dht', some(1000), 1).length, PER_MINUTE, 'the same ones for another torrent');
  t.equal(found.fresh(A, 'dht', some(1000, 5000), 2).length, 0);
  t.equal(found.fresh(A, 'lan', some(10, 5000), 2).length, 10, 'each source has its own share');
  t.equal(found.fresh(A, 'fixed', some(1000, 5000), 2).length, 1000, 'the configuration is not bounded');
  t.equal(found.fresh(A, 'dht', some(1000, 5000), 60_000).length, PER_MINUTE);
});
