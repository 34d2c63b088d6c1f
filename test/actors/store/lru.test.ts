import fc from 'fast-check';
import t from 'tap';

import type { Sha256 } from '../../../src/core/ids.ts';
import { LeastRecentlyUsed } from '../../../src/actors/store/lru.ts';

const name = (n: number) => String(n) as Sha256;
const step = fc.record({ kind: fc.constantFrom('put', 'use', 'delete'), n: fc.nat(9), size: fc.nat(100) });

t.test('sizes add up, and what was not used for longest is evicted first', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(400), fc.nat(60), (steps, limit, pinnedSince) => {
      const lru = new LeastRecentlyUsed();
      const model = new Map<Sha256, { size: number; usedAt: number }>();
      for (const [now, { kind, n, size }] of steps.entries()) {
        const key = name(n);
        if (kind === 'put') {
          lru.put(key, { size, usedAt: now, fingerprint: undefined, checkedAt: 0 });
          model.set(key, { size, usedAt: now });
        } else if (kind === 'use') {
          const known = model.get(key);
          if ((lru.use(key, now) === undefined) !== (known === undefined)) throw new Error('use');
          if (known !== undefined) known.usedAt = now;
        } else {
          lru.delete(key);
          model.delete(key);
        }
      }
      const total = [...model.values()].reduce((sum, { size }) => sum + size, 0);
      if (lru.bytes !== total || lru.files !== model.size) throw new Error('sum');
      const order = [...model].toSorted((a, b) => a[1].usedAt - b[1].usedAt);
      const expected: Sha256[] = [];
      let left = total;
      for (const [key, { size, usedAt }] of order) {
        if (left <= limit || usedAt >= pinnedSince) break;
        expected.push(key);
        left -= size;
      }
      return JSON.stringify(lru.evictable(limit, ({ usedAt }) => usedAt >= pinnedSince)) === JSON.stringify(expected);
    }),
    { numRuns: 500 },
  );
  t.end();
});
